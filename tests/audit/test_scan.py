"""The scan of whole files: what is code, and of which classes."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from arm_files import (
    FOREIGN,
    RETURN,
    Source,
    Toolbox,
    renamed_symbols,
    swap_sections,
    words,
)

from crosspi.audit.code import classes
from crosspi.audit.code.flow import Tracer
from crosspi.audit.code.scan import FOLLOWED, MAPPED, Scan, scan
from crosspi.audit.code.spaces import Space
from crosspi.audit.elf.attributes import read_attributes
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import BrokenElf

NEON = 0xF2220844


def scanned(data: bytes) -> Scan:
    elf = Elf(data)
    return scan(elf, read_attributes(elf))


def test_mapping_symbols_tell_literals_from_code(arm: Toolbox) -> None:
    body = f"  ldr r0, 1f\n{RETURN}1: .word {NEON:#x}\n"
    found = scanned(arm.shared(Source(body)))
    assert found.method == MAPPED
    assert found.counts == {}
    assert found.instructions == 2


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize(
    "source",
    [
        Source(f"  .word {NEON:#x}\n{RETURN}"),
        Source(f"  mov r0, #1\n  .word {NEON:#x}\n{RETURN}"),
        Source("  movs r0, #1\n  .short 0xef22, 0x0844\n  bx lr\n", state="thumb"),
    ],
    ids=["first", "arm", "thumb"],
)
def test_instructions_written_as_numbers(arm: Toolbox, source: Source, strip: bool) -> None:
    assert scanned(arm.shared(source, strip=strip)).counts["neon"] == 1


@pytest.mark.parametrize(
    "body",
    [
        f"{RETURN}  nop\n  .word {NEON:#x}\n",
        f"  udf #0\n  .word {NEON:#x}\n",
        f"1: b 1b\n  mov r0, r0\n  .word {NEON:#x}\n",
        f"  bl PyInit_m\n  .word {NEON:#x}\n",
        f"  mov r0, #1\n  .word {NEON:#x}, 0xffffffff\n",
    ],
    ids=["padding", "trap", "loop", "call", "nonsense"],
)
def test_data_behind_code_is_not_code(arm: Toolbox, body: str) -> None:
    assert scanned(arm.shared(Source(body))).counts == {}


@pytest.mark.parametrize("strip", [False, True])
def test_code_is_found(arm: Toolbox, strip: bool) -> None:
    found = scanned(arm.shared(Source(words(NEON) + RETURN), strip=strip))
    assert found.method == (FOLLOWED if strip else MAPPED)
    assert found.counts == {"neon": 1}
    ((hit,),) = found.hits(classes.NEON)
    assert found.names.symbol(hit) == "PyInit_m"
    assert found.names.disassemble(hit) == "vadd.i32 q0, q1, q2"


@pytest.mark.parametrize(
    "body",
    [
        f"  ldr r0, 1f\n{RETURN}1: .word {NEON:#x}\n",
        f"  vldr d0, 1f\n{RETURN}  .align 3\n1: .word {NEON:#x}, {NEON:#x}\n",
        f"{RETURN}  .word {NEON:#x}\n",
        f"  b 2f\n1: .word {NEON:#x}\n2: ldr r0, 1b\n{RETURN}",
        f"  udf #0\n  .word {NEON:#x}\n",
        f"  ldr pc, [r0]\n  .word {NEON:#x}\n",
        f"  pop {{r4, pc}}\n  .word {NEON:#x}\n",
    ],
)
def test_stripped_data_is_not_code(arm: Toolbox, body: str) -> None:
    found = scanned(arm.shared(Source(body), strip=True))
    assert found.method == FOLLOWED
    assert found.counts.get("neon", 0) == 0


@pytest.mark.parametrize(
    "body",
    [
        f"  bl 1f\n{RETURN}1:\n{words(NEON)}{RETURN}",
        f"  bne 1f\n{RETURN}1:\n{words(NEON)}{RETURN}",
        f"  bxeq lr\n{words(NEON)}{RETURN}",
        f"  cmp r0, #1\n  addls pc, pc, r0, lsl #2\n  b 3f\n  b 1f\n  b 2f\n"
        f"1: {RETURN}2:\n{words(NEON)}3: {RETURN}",
        "  add r1, pc, #4\n  ldr r0, [r1, r0, lsl #2]\n  add pc, r0, r1\n"
        f"1: .word 2f - 1b, 3f - 1b\n2: {RETURN}3:\n{words(NEON)}{RETURN}",
        f"  blx 1f\n{RETURN}.thumb\n1: .inst.w 0xef220844\n  bx lr\n.arm\n",
        f"  ldr r0, 1f\n2: add r0, pc, r0\n  bx lr\n1: .word 3f - 2b - 8\n  .word 0\n"
        f"3: push {{r4, lr}}\n{words(NEON)}  pop {{r4, pc}}\n",
    ],
    ids=["call", "branch", "conditional", "branches", "table", "thumb", "pointer"],
)
def test_stripped_code_is_followed(arm: Toolbox, body: str) -> None:
    found = scanned(arm.shared(Source(body), strip=True))
    assert found.counts["neon"] == 1


@pytest.mark.parametrize(
    "lead",
    [
        "  ldr r0, 1f\n2: add r0, pc, r0\n  bx lr\n1: .word 3f - 2b - 8\n",
        "  adr r0, 3f\n  bx lr\n",
    ],
    ids=["offset", "adr"],
)
def test_a_stripped_function_of_nothing_but_neon_is_found(arm: Toolbox, lead: str) -> None:
    """Hand-written, without unwind table and saved registers; only a pointer leads to it."""
    body = f"{lead}  .word 0\n3:\n{words(NEON, NEON, NEON)}{RETURN}"
    assert scanned(arm.shared(Source(body), strip=True)).counts == {"neon": 3}


@pytest.mark.parametrize(
    "body",
    [
        "  cmp r0, #1\n  bhi 3f\n  tbb [pc, r0]\n1: .byte (2f-1b)/2, (3f-1b)/2\n"
        "2: bx lr\n3: .inst.w 0xef220844\n  bx lr\n",
        "  cmp r0, #1\n  bhi 3f\n  tbh [pc, r0, lsl #1]\n1: .hword (2f-1b)/2, (3f-1b)/2\n"
        "2: bx lr\n3: .inst.w 0xef220844\n  bx lr\n",
        "  it ne\n  bxne lr\n  .inst.w 0xef220844\n  bx lr\n",
        "  cbz r0, 1f\n  bx lr\n1: .inst.w 0xef220844\n  bx lr\n",
    ],
    ids=["tbb", "tbh", "it", "cbz"],
)
def test_stripped_thumb_is_followed(arm: Toolbox, body: str) -> None:
    source = Source(body, arch="armv7-a", fpu="neon", state="thumb")
    found = scanned(arm.shared(source, strip=True))
    assert found.counts["neon"] == 1


def test_pool_behind_a_call_that_never_returns(arm: Toolbox) -> None:
    library = arm.library("libc.so.6", "GLIBC_2.4", "abort")
    body = f"  bl abort\n  .word {NEON:#x}\n"
    found = scanned(arm.shared(Source(body, links=(library,)), strip=True))
    assert found.counts == {}


def test_function_that_only_data_points_to(arm: Toolbox) -> None:
    extra = f".type h,%function\nh:\n{words(NEON)}{RETURN}.data\n.align 2\n.word h\n"
    found = scanned(arm.shared(Source(RETURN, extra=extra), strip=True))
    assert found.counts == {"neon": 1}


def test_function_that_only_the_unwind_index_names(arm: Toolbox) -> None:
    extra = f"  .word 0\nh: .fnstart\n{words(NEON)}{RETURN}.cantunwind\n.fnend\n"
    found = scanned(arm.shared(Source(RETURN, extra=extra), strip=True))
    assert found.counts == {"neon": 1}


def test_function_in_a_gap(arm: Toolbox) -> None:
    extra = f"h: push {{r4, lr}}\n{words(NEON)}  pop {{r4, pc}}\n"
    found = scanned(arm.shared(Source(RETURN, extra=extra), strip=True))
    assert found.counts == {"neon": 1}


def test_every_foreign_instruction_is_counted(arm: Toolbox) -> None:
    body = "".join(f"  {text}\n" for text, _ in FOREIGN.values()) + RETURN
    found = scanned(arm.shared(Source(body), strip=True))
    wanted: dict[str, int] = {}
    for _, kind in FOREIGN.values():
        wanted[kind] = wanted.get(kind, 0) + 1
    for kind, number in wanted.items():
        assert found.counts[kind] >= number


def test_symbols_whose_section_numbers_are_stale(arm: Toolbox) -> None:
    """What patchelf, and so auditwheel, leaves: the sections moved, `.symtab` did not notice."""
    extra = '.section .init, "ax", %progbits\n  bx lr\n.section .fini, "ax", %progbits\n  bx lr\n'
    data = arm.shared(Source(words(NEON) + RETURN, extra=extra))
    found = scanned(swap_sections(data, ".text", ".fini"))
    assert found.method == MAPPED
    assert found.counts == {"neon": 1}
    assert found.coverage == 1
    ((hit,),) = found.hits(classes.NEON)
    assert found.names.symbol(hit) == "PyInit_m"


def test_symbols_that_call_the_code_data_are_not_believed(arm: Toolbox) -> None:
    data = arm.shared(Source(f"  b 1f\n  nop\n1: mov r0, #1\n{words(NEON)}{RETURN}"))
    found = scanned(renamed_symbols(data, "$a", "$d"))
    assert found.method == FOLLOWED
    assert found.counts == {"neon": 1}


def test_what_only_looks_like_code_is_said_to(arm: Toolbox) -> None:
    body = f"{words(NEON)}{RETURN}  .word 0\n  push {{r4, lr}}\n{words(NEON)}  pop {{r4, pc}}\n"
    found = scanned(arm.shared(Source(body), strip=True))
    assert [hit.guessed for hits in found.hits(classes.NEON) for hit in hits] == [False, True]


@pytest.mark.parametrize("value", [0x003F6FB2, 0x01E8AE90], ids=["ldrht", "stlexh"])
def test_a_constant_between_blocks_that_nothing_leads_to(arm: Toolbox, value: int) -> None:
    """A jump table that is not followed; the constant of one block lies before the next."""
    body = (
        "  ldr r1, 3f\n  ldr r3, [r1, r0, lsl #2]\n  add r3, r3, r1\n  bx r3\n"
        "1: ldr r2, 4f\n  add r2, pc, r2\n  b 9f\n3: .word 0x1000\n9: mov r0, r2\n  bx lr\n"
        f"4: .word {value:#x}\n5: ldr r2, 6f\n  add r2, pc, r2\n  mov r5, #2\n  b 9b\n"
        "6: .word 0x00211234\n"
    )
    found = scanned(arm.shared(Source(body), strip=True))
    assert found.counts == {}
    assert found.coverage == 1


def test_what_lld_fills_gaps_with_is_data(arm: Toolbox) -> None:
    filler, rest = words(0xD4D4D4D4), words(0xFFFFFFFF)
    found = scanned(arm.shared(Source(f"{RETURN}{filler}{filler}{rest}"), strip=True))
    assert (found.instructions, found.seen_bytes, found.code_bytes) == (1, 12, 16)


def test_what_looks_like_a_filler_and_is_reached_is_code(arm: Toolbox) -> None:
    found = scanned(arm.shared(Source(f"{words(0xD4D4D4D4)}{words(NEON)}{RETURN}"), strip=True))
    assert found.instructions == 3
    assert found.counts == {"neon": 1}


def test_a_nop_of_four_bytes_is_padding_too(arm: Toolbox) -> None:
    body = "  bx lr\n  nop.w\n  .word 0x0844ef22\n"
    source = Source(body, arch="armv7-a", fpu="neon", state="thumb")
    assert "neon" not in scanned(arm.shared(source)).counts


class Counting(Tracer):
    """Counts the places that it is sent to."""

    pushed = 0

    def push(self, addr: int, thumb: bool) -> None:
        self.pushed += 1
        super().push(addr, thumb)


JUMP_TABLES = (0xE08FF100, 0xE79FF100, 0xE8DFF010, 0xF010E8DF)
FUNCTION_STARTS = (0xE92D4010, 0x4010E92D)
BRANCHES = (0xEAFFFFFE, 0xFAFFFFFF)


@pytest.mark.parametrize("word", [*JUMP_TABLES, *FUNCTION_STARTS, *BRANCHES])
def test_work_grows_no_faster_than_the_file(arm: Toolbox, word: int) -> None:
    """A file of nothing but jump tables, function starts or branches."""
    body = f"  .rept 4000\n  .word {word:#x}\n  .endr\n"
    elf = Elf(arm.shared(Source(body), strip=True))
    spaces = [Space(code) for code in elf.code]
    tracer = Counting(elf, spaces, thumb=True)
    tracer.run()
    assert tracer.pushed <= 4 * sum(len(space.marks) for space in spaces)


def test_a_damaged_file_is_scanned_or_refused(arm: Toolbox) -> None:
    """Whatever bytes change: no other error than BrokenElf, and coverage stays a share."""
    whole = arm.shared(Source("  bl 1f\n  pop {r4, pc}\n1: ldr r0, 2f\n  bx lr\n2: .word 5\n"))
    dice = random.Random(1)
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(dice.randrange(1, 8)):
            changed[dice.randrange(len(changed))] = dice.choice((0, 1, 0x7F, 0xFF, 0x80))
        try:
            found = scanned(bytes(changed))
        except BrokenElf:
            continue
        assert 0 <= found.coverage <= 1
        for hit in chain.from_iterable(found.hits(classes.ALL)):
            assert found.names.symbol(hit) is not None
