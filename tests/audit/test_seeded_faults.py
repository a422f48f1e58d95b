"""Bad wheels, one fault each: the audit tells each by its own code, and foreign code traps.

`pytest -v tests/audit/test_seeded_faults.py` ends with the table of them; `--junitxml` has its rows
as properties of the test cases.
"""

from __future__ import annotations

import signal
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from arm_files import (
    FOREIGN,
    METADATA,
    MODULE,
    RETURN,
    USES_QEMU,
    Source,
    Toolbox,
    change_stack,
    make_wheel,
    needs_qemu,
    patch,
    without_section,
    words,
)

from crosspi.audit import CATALOGUE, Law, Promises, audit_wheel
from crosspi.audit.elf.format import SHT_ATTRIBUTES
from crosspi.data.targets import Targets

TOOLCHAINS = Targets.load(Path(__file__).parents[2] / "toolchains").toolchains
NEWEST_GLIBC = "GLIBC_2.99"
PLAIN = Source()


@dataclass(frozen=True)
class Board:
    """A law, the CPU that qemu plays for it, and a CPU that has what that one lacks."""

    law: Law
    cpu: str
    newer: str

    @property
    def tag(self) -> str:
        return f"cp311-cp311-{self.law.platform}"

    def forbidding(self, kind: str, cpu: str) -> Board:
        """A board that lacks still more than this one."""
        update = {
            "name": f"{self.law.name} less {kind}",
            "instructions": (*self.law.instructions, kind),
        }
        law = self.law.model_copy(update=update)
        return Board(law, cpu, newer=self.cpu)


def shipped(toolchain: str, newer: str) -> Board:
    """A board as `toolchains/` has it."""
    data = TOOLCHAINS[toolchain].data
    return Board(data.audit, data.emulated[0].cpu, newer)


ARMV6 = shipped("armv6", newer="cortex-a7")
ARMV7 = shipped("armv7", newer="max")
# qemu's only CPUs without VFP are ARMv5; the code that is run there is ARMv5 apart from its fault.
NO_VFP = ARMV6.forbidding("vfp", cpu="arm946")
# An ARMv4 cannot even be asked to enter Thumb state.
NO_THUMB = ARMV6.forbidding("thumb", cpu="")


@dataclass(frozen=True)
class Bench:
    """Where the wheels are made."""

    arm: Toolbox
    folder: Path
    board: Board

    def holding(
        self, data: bytes, file: str = MODULE, *, tag: str = "", metadata: str = ""
    ) -> Path:
        """A wheel with one file, named as the board wants it."""
        return make_wheel(
            self.folder,
            {file: data},
            tag=tag or self.board.tag,
            metadata=metadata or METADATA,
        )

    def linked(self, source: Source = PLAIN, *options: str, file: str = MODULE) -> Path:
        return self.holding(self.arm.shared(source, *options), file)

    def needing(self, library: str, version: str, tag: str = "") -> Path:
        """A wheel that needs a symbol of a version of a library."""
        path = self.arm.library(library, version, "function")
        return self.holding(self.arm.shared(Source("  b function\n", links=(path,))), tag=tag)


Make = Callable[[Bench], Path]


@dataclass(frozen=True)
class Fault:
    """A bad wheel.

    Attributes:
        name: what is wrong with it.
        code: what the audit calls it.
        make: makes it.
        along: what else is wrong with such a wheel, of necessity.
        board: whose wheel it claims to be.
        promises: what the recipe said of it.
        foreign: whether its code cannot run there.
        unshown: why nothing traps, for the table.
    """

    name: str
    code: str
    make: Make
    along: frozenset[str] = frozenset()
    board: Board = field(default=ARMV6, repr=False)
    promises: Promises = Promises()
    foreign: bool = False
    unshown: str = "no foreign code"


def instruction(name: str, code: str, line: str, board: Board = ARMV6) -> Fault:
    """A foreign instruction in a file that does not declare it."""
    body = f"  {FOREIGN[line][0]}\n{RETURN}"
    arch = "armv6k" if board is ARMV6 else "armv7-a"
    make: Make = lambda bench: bench.linked(Source(body, arch=arch))  # noqa: E731
    return Fault(name, code, make, frozenset({"attr-lies"}), board, foreign=True)


def declaring(name: str, code: str, tag: int, value: int) -> Fault:
    """A build attribute above the law, over code that keeps to it."""
    return Fault(name, code, lambda b: b.linked(Source(extra=f".eabi_attribute {tag}, {value}\n")))


def one_object_with_other_flags(bench: Bench) -> Path:
    """The linker keeps the attributes of the first file that it is given."""
    honest = bench.arm.object(Source(exports=("first",)).text())
    body = words(0xF2220844) + RETURN
    return bench.linked(Source(body, arch="armv7-a", fpu="neon"), str(honest))


def hidden_in_a_stripped_file(bench: Bench) -> Path:
    """Hand-written code that only a computed address leads to."""
    call = "  mov r5, lr\n  adr r2, 3f\n  blx r2\n  bx r5\n  .word 0\n"
    kernel = f"3:\n{words(0xF420078F, 0xF2220844, 0xF400078F)}{RETURN}"
    return bench.holding(bench.arm.shared(Source(call + kernel), strip=True))


def compiled_for_another_board(bench: Bench) -> Path:
    code = "void PyInit_m(int *p) { for (int i = 0; i < 64; i++) p[i] += 0x12345678; }\n"
    return bench.holding(bench.arm.compiled(code, "cortex_a7"))


def renamed(wheel: Path, old: str, new: str) -> Path:
    assert old in wheel.name
    return wheel.rename(wheel.with_name(wheel.name.replace(old, new)))


def for_armv7_renamed(bench: Bench) -> Path:
    source = Source(words(0xF2220844) + RETURN, arch="armv7-a", fpu="neon-vfpv4")
    wheel = bench.holding(bench.arm.shared(source), tag=ARMV7.tag)
    return renamed(wheel, "armv7l", "armv6l")


def for_another_python_renamed(bench: Bench) -> Path:
    return renamed(bench.linked(), "cp311-cp311", "cp312-cp312")


def carrying(bench: Bench, *options: str) -> Path:
    """A wheel with a module and the library that it needs, in demo.libs/."""
    library = bench.arm.library("libblas.so.3", "BLAS_1", "dgemm")
    data = bench.arm.shared(Source("  b dgemm\n", links=(library,)), *options)
    files = {MODULE: data, "demo.libs/libblas.so.3": Path(library).read_bytes()}
    return make_wheel(bench.folder, files, tag=bench.board.tag)


OLD = METADATA.replace(">=3.9", ">=3.4")
OLD_MODULE = "m.cpython-34m-arm-linux-gnueabihf.so"
V7_ATTRIBUTES = frozenset({"attr-arch", "attr-fp", "attr-simd", "attr-thumb2"})

FAULTS = (
    # instructions
    instruction("NEON", "isa-neon", "vadd.i32 q0, q1, q2"),
    Fault(
        "NEON written as a number (.word)",
        "isa-neon",
        lambda b: b.linked(Source(f"  .word 0xf2220844\n{RETURN}")),
        frozenset({"attr-lies"}),
        foreign=True,
    ),
    Fault(
        "NEON in a stripped file, called by a computed address",
        "isa-neon",
        hidden_in_a_stripped_file,
        frozenset({"attr-lies"}),
        foreign=True,
    ),
    instruction("VFPv3 constant (vmov.f32 #imm)", "isa-vfp3", "vmov.f32 s0, #1.0"),
    instruction("movw", "isa-v7", "movw"),
    instruction("movt", "isa-v7", "movt"),
    instruction("dmb", "isa-v7", "dmb"),
    instruction("sdiv", "isa-div", "sdiv"),
    instruction("udiv", "isa-div", "udiv"),
    instruction("registers d16-d31", "isa-d32", "vadd.f64 d16, d17, d18"),
    instruction("VFPv4 (vfma.f32)", "isa-vfp4", "vfma.f32 s0, s1, s2"),
    instruction("half precision (vcvtb)", "isa-fp16", "vcvtb.f32.f16 s0, s1"),
    Fault(
        "Thumb-2",
        "isa-thumb2",
        lambda b: b.linked(Source("  .inst.w 0xf04f0001\n  bx lr\n", state="thumb")),
        frozenset({"attr-lies"}),
        foreign=True,
    ),
    instruction("ARMv8 (lda)", "isa-v8", "lda r0, [r1]", board=ARMV7),
    instruction("ARMv8 cryptography (aese)", "isa-crypto", "aese.8 q0, q1", board=ARMV7),
    instruction("ARMv8.2 (vadd.f16)", "isa-fp16arith", "vadd.f16 s0, s1, s2", board=ARMV7),
    instruction("ARMv8.2 (vsdot)", "isa-dotprod", "vsdot.s8 q0, q1, q2", board=ARMV7),
    Fault(
        "VFP for a board without",
        "isa-vfp",
        lambda b: b.linked(Source("  vadd.f32 s0, s0, s0\n" + RETURN)),
        board=NO_VFP,
        foreign=True,
    ),
    Fault(
        "Thumb for a board without",
        "isa-thumb",
        lambda b: b.linked(Source("  movs r0, #1\n  bx lr\n", state="thumb")),
        board=NO_THUMB,
        unshown="qemu has no such CPU",
    ),
    # build attributes
    Fault(
        "attributes that lie: one object has NEON",
        "attr-lies",
        one_object_with_other_flags,
        frozenset({"isa-neon"}),
        foreign=True,
    ),
    Fault(
        "compiled for a Cortex-A7",
        "attr-arch",
        compiled_for_another_board,
        V7_ATTRIBUTES - {"attr-arch"} | {"isa-neon"},
        foreign=True,
    ),
    Fault(
        "build attributes missing",
        "attr-missing",
        lambda b: b.holding(without_section(b.arm.shared(), SHT_ATTRIBUTES)),
    ),
    # other machines, other ABIs, no file at all
    Fault(
        "x86-64 object",
        "foreign-machine",
        lambda b: b.holding(b.arm.foreign("x86_64-linux-gnu")),
        unshown="no ARM code",
    ),
    Fault(
        "aarch64 object",
        "foreign-machine",
        lambda b: b.holding(b.arm.foreign("aarch64-linux-gnu")),
        unshown="no ARM code",
    ),
    Fault("soft-float", "float-abi", lambda b: b.linked(Source(hard=False))),
    Fault(
        "EABI 4",
        "eabi-version",
        lambda b: b.holding(patch(b.arm.shared(), 36, "I", 0x04000400)),
    ),
    Fault("a file cut off", "elf-broken", lambda b: b.holding(b.arm.shared()[:300])),
    # what the loader looks for
    Fault(
        "glibc above the floor",
        "glibc-floor",
        lambda b: b.needing("libc.so.6", NEWEST_GLIBC),
    ),
    Fault(
        "glibc above the name's promise",
        "glibc-tag",
        lambda b: b.needing("libc.so.6", "GLIBC_2.18", "cp311-cp311-manylinux_2_17_armv7l"),
        board=ARMV7,
    ),
    Fault(
        "GLIBCXX above the system's",
        "gcc-floor",
        lambda b: b.needing("libstdc++.so.6", "GLIBCXX_3.4.99"),
    ),
    Fault(
        "a library that comes along, and that the loader does not find",
        "carried-not-found",
        lambda b: carrying(b, "--rpath=$ORIGIN/gone"),
    ),
    Fault(
        "a symbol that no library has",
        "undefined-symbol",
        lambda b: b.linked(Source("  b __atomic_load_8\n"), "--unresolved-symbols=ignore-all"),
    ),
    Fault(
        "foreign library needed",
        "foreign-needed",
        lambda b: b.needing("libblas.so.3", "BLAS_1"),
    ),
    Fault(
        "executable stack",
        "exec-stack",
        lambda b: b.holding(change_stack(b.arm.shared(), 0x6474E551, 7)),
    ),
    # names
    Fault(
        "wrong SOABI suffix",
        "soabi-suffix",
        lambda b: b.linked(file="m.cpython-311-x86_64-linux-gnu.so"),
    ),
    Fault(
        "cp34 file in a cp35 wheel",
        "soabi-suffix",
        lambda b: b.holding(
            b.arm.shared(), OLD_MODULE, tag="cp35-cp35m-linux_armv6l", metadata=OLD
        ),
    ),
    Fault(
        "wheel renamed to another Python",
        "tag-mismatch",
        for_another_python_renamed,
        frozenset({"soabi-suffix"}),
    ),
    Fault(
        "armv7l wheel renamed to armv6l",
        "tag-mismatch",
        for_armv7_renamed,
        V7_ATTRIBUTES | {"isa-neon"},
        foreign=True,
    ),
    Fault(
        "wheel for another platform",
        "platform-tag",
        lambda b: b.holding(b.arm.shared(), tag="cp311-cp311-linux_aarch64"),
    ),
    Fault(
        "wheel renamed to another package",
        "name-mismatch",
        lambda b: renamed(b.linked(), "demo", "other"),
    ),
    Fault(
        "machine code in a wheel for any",
        "any-with-elf",
        lambda b: b.holding(b.arm.shared(), "m.so", tag="py3-none-any"),
    ),
    # RECORD, METADATA, promises
    Fault(
        "RECORD mismatch",
        "record-mismatch",
        lambda b: make_wheel(
            b.folder,
            {MODULE: b.arm.shared()},
            tag=b.board.tag,
            record={MODULE: f"{MODULE},sha256=abc,"},
        ),
    ),
    Fault(
        "unreadable requirement",
        "metadata-invalid",
        lambda b: b.holding(b.arm.shared(), metadata=METADATA + "Requires-Dist: numpy >>> 3\n"),
    ),
    Fault(
        "Requires-Python excludes its own Python",
        "python-requires",
        lambda b: b.holding(b.arm.shared(), metadata=METADATA.replace(">=3.9", ">=3.12")),
    ),
    Fault(
        "NEON promised, and there is none",
        "promise-neon",
        lambda b: b.linked(Source(arch="armv7-a", fpu="neon-vfpv4")),
        board=ARMV7,
        promises=Promises(neon=True),
    ),
)

# What harms nobody or cannot be told, and is not how we build: a note, of our own an error.
HOUSE = (
    Fault(
        "code that nothing leads to, in a stripped file",
        "isa-unreached",
        lambda b: b.holding(b.arm.shared(Source(RETURN + "  .word 0xffffffff\n" * 64), strip=True)),
    ),
    declaring("VFPv3 declared", "attr-fp", 10, 3),
    declaring("NEON declared", "attr-simd", 12, 1),
    declaring("Thumb-2 declared", "attr-thumb2", 9, 2),
    Fault("RPATH", "rpath", lambda b: b.linked(PLAIN, "--rpath=/opt/lib")),
    Fault(
        "absolute build path",
        "build-path",
        lambda b: b.linked(Source(extra='.section .rodata\n.asciz "/work/demo/m.c"\n')),
    ),
    Fault(
        "no machine code in a wheel for a platform",
        "platform-without-elf",
        lambda b: b.holding(b"", "demo.py"),
    ),
    Fault(
        "a more generic name than WHEEL's",
        "name-form",
        lambda b: make_wheel(
            b.folder,
            {"demo/m.so": b.arm.shared()},
            tag="py2.py3-none-linux_armv6l",
            wheel_tag="py3-none-linux_armv6l",
        ),
        frozenset({"tag-mismatch"}),
    ),
)

# What the audit mentions without refusing the wheel.
NOTES = (
    Fault("pure Python", "pure-python", lambda b: b.holding(b"", "demo.py", tag="py3-none-any")),
)


def made(fault: Fault, arm: Toolbox, folder: Path) -> Path:
    return fault.make(Bench(arm, folder, fault.board))


def trapped(fault: Fault, wheel: Path, arm: Toolbox) -> str:
    """Runs the wheel's own code: on the board's CPU, and on one that has what that lacks."""
    if not fault.foreign:
        return fault.unshown
    if not USES_QEMU:
        return "no qemu here"
    with zipfile.ZipFile(wheel) as archive:
        module = archive.read(MODULE)
    assert arm.ending_of_function(module, "PyInit_m", fault.board.newer) == 0
    assert arm.ending_of_function(module, "PyInit_m", fault.board.cpu) == -signal.SIGILL
    return f"yes: SIGILL on {fault.board.cpu}"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_bad_wheel_is_told(
    fault: Fault, arm: Toolbox, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    wheel = made(fault, arm, tmp_path)
    report = audit_wheel(wheel, fault.board.law, fault.promises)
    assert not report.ok
    assert {item.code for item in report.errors} == {fault.code, *fault.along}
    assert {item.severity for item in report.findings} == {"error"}
    request.node.user_properties += [
        ("fault", fault.name),
        ("law", fault.board.law.name),
        ("code", fault.code),
        ("trapped", trapped(fault, wheel, arm)),
    ]


@pytest.mark.parametrize("fault", HOUSE, ids=lambda fault: fault.name)
def test_what_is_only_our_policy(fault: Fault, arm: Toolbox, tmp_path: Path) -> None:
    wheel = made(fault, arm, tmp_path)
    others = audit_wheel(wheel, fault.board.law)
    assert others.ok
    assert [(item.code, item.severity) for item in others.findings] == [(fault.code, "note")]
    own = audit_wheel(wheel, fault.board.law, own=True)
    assert {item.code for item in own.errors} == (fault.along or {fault.code})


def test_what_every_board_has_is_not_all_that_we_link_to(arm: Toolbox, tmp_path: Path) -> None:
    wheel = Bench(arm, tmp_path, ARMV6).needing("libstdc++.so.6", "GLIBCXX_3.4.11")
    assert audit_wheel(wheel, ARMV6.law).findings == ()
    (error,) = audit_wheel(wheel, ARMV6.law, own=True).errors
    assert (error.code, error.message) == ("house-needed", "it needs libstdc++.so.6")


@pytest.mark.parametrize("fault", NOTES, ids=lambda fault: fault.name)
def test_what_is_no_fault_is_a_note(fault: Fault, arm: Toolbox, tmp_path: Path) -> None:
    report = audit_wheel(made(fault, arm, tmp_path), fault.board.law)
    assert report.ok
    assert [(item.code, item.severity) for item in report.findings] == [(fault.code, "note")]


@needs_qemu
@pytest.mark.parametrize("board", [ARMV6, ARMV7], ids=["armv6", "armv7"])
def test_a_good_wheel_passes_and_runs(board: Board, arm: Toolbox, tmp_path: Path) -> None:
    module = arm.shared(Source("  vadd.f64 d0, d0, d0\n" + RETURN))
    wheel = Bench(arm, tmp_path, board).holding(module)
    assert audit_wheel(wheel, board.law).findings == ()
    assert arm.ending_of_function(module, "PyInit_m", board.cpu) == 0


def test_every_code_has_a_wheel_that_provokes_it() -> None:
    told = {fault.code for fault in (*FAULTS, *HOUSE, *NOTES)}
    # `trapped` is what the emulated board says: see test_trials.
    assert told | {"house-needed", "trapped"} == set(CATALOGUE)


def test_the_table_is_long_enough_and_without_repetition() -> None:
    assert len(FAULTS) >= 20
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
