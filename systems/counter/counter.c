/* A plugin of qemu's: counts the instructions that a program's first process executes, to a file.
 * The last line is `end COUNT`; before it stands `K COUNT` for each mark that the program made:
 * getpgid(MARK + K), which no process group answers.
 *
 * The declarations are those of version 1 of qemu's plugin interface (include/qemu/qemu-plugin.h of
 * qemu 4.2 to 8.2), of which Debian has no package; a qemu that has another version refuses to load
 * this. The count is exact for one thread: it is added to without a lock.
 *
 *   -plugin counter.so,out=FILE
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern void qemu_plugin_register_vcpu_insn_exec_inline(
    struct qemu_plugin_insn *, enum qemu_plugin_op, void *, uint64_t);
extern void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t,
    void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
             uint64_t, uint64_t, uint64_t));
extern void qemu_plugin_register_atexit_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

/* Of 32-bit ARM: its number of getpgid, and process numbers beyond all that Linux gives. */
enum { GETPGID = 132, MARK = 0x43500000, MARKS = 0x10000 };

static uint64_t count;
static FILE *out;
static pid_t first;

/* Instruction by instruction: a block that a signal ends has not executed all of its own. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++)
        qemu_plugin_register_vcpu_insn_exec_inline(
            qemu_plugin_tb_get_insn(block, i), QEMU_PLUGIN_INLINE_ADD_U64, &count, 1);
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t argument,
                   uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
                   uint64_t a8)
{
    (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == GETPGID && argument - MARK < MARKS && getpid() == first)
        fprintf(out, "%" PRIu64 " %" PRIu64 "\n", argument - MARK, count);
}

/* A child has its parent's count, and its own end. */
static void ended(qemu_plugin_id_t id, void *unused)
{
    (void)id, (void)unused;
    if (getpid() != first)
        return;
    fprintf(out, "end %" PRIu64 "\n", count);
    fclose(out);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "we"))) {
        fputs("counter: say where the count goes: out=FILE\n", stderr);
        return -1;
    }
    setvbuf(out, NULL, _IOLBF, BUFSIZ); /* nothing is left in it that a child would write again */
    first = getpid();
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
