"""Decoding Thumb instructions, of 16 and of 32 bits, into classes and control flow.

From DDI 0406C, chapter A6 ("Thumb Instruction Set Encoding"). VFP and NEON instructions have the
same bits as in ARM state but for their first byte, so `a32` classifies them. A 16-bit instruction
that ARMv4T to ARMv6 know is `thumb`; everything that came with ARMv6T2 is `thumb2`.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from crosspi.audit.code import a32
from crosspi.audit.code.a32 import ADD_PC, BRANCH, INDIRECT, INVALID, LITERAL, TRAP
from crosspi.audit.code.classes import DIV, THUMB, THUMB2, V7, V8

IT = 1 << 21  # opens a block of conditional instructions

_ROWS_16: tuple[tuple[int, int, int], ...] = (
    (0xFF78, 0x4478, THUMB | ADD_PC),
    (0xFF87, 0x4487, THUMB | INDIRECT),
    (0xFF87, 0x4687, THUMB | INDIRECT),
    (0xFF00, 0x4700, THUMB | INDIRECT),
    (0xF800, 0x4800, THUMB | LITERAL),
    (0xFFF7, 0xB650, THUMB),
    (0xFFE8, 0xB660, THUMB),
    (0xFF00, 0xB600, INVALID),
    (0xF500, 0xB100, THUMB2 | BRANCH),
    (0xFFC0, 0xBA80, V8),
    (0xFF00, 0xB800, INVALID),
    (0xFF00, 0xBD00, THUMB | INDIRECT),
    (0xFF0F, 0xBF00, THUMB2),
    (0xFF00, 0xBF00, THUMB2 | IT),
    (0xFF00, 0xDE00, THUMB | TRAP),
    (0xFF00, 0xDF00, THUMB),
    (0xF000, 0xD000, THUMB | BRANCH),
    (0xF800, 0xE000, THUMB | BRANCH),
)

_ROWS_32: tuple[tuple[int, int, int], ...] = (
    # load, store and table branch
    (0xFFF0FFE0, 0xE8D0F000, THUMB2 | INDIRECT),
    (0xFFE00080, 0xE8C00080, THUMB2 | V8),
    (0xFFD08000, 0xE8908000, THUMB2 | INDIRECT),
    (0xFFD08000, 0xE9108000, THUMB2 | INDIRECT),
    (0xFF7F0000, 0xE95F0000, THUMB2 | LITERAL),
    (0xFF7FF000, 0xF85FF000, THUMB2 | LITERAL | INDIRECT),
    (0xFF7F0000, 0xF85F0000, THUMB2 | LITERAL),
    (0xFE1FF000, 0xF81FF000, THUMB2),
    (0xFE1F0000, 0xF81F0000, THUMB2 | LITERAL),
    (0xFF70F000, 0xF850F000, THUMB2 | INDIRECT),
    # arithmetic that only came with v7, or later
    (0xFFF0F0F0, 0xFB90F0F0, THUMB2 | DIV),
    (0xFFF0F0F0, 0xFBB0F0F0, THUMB2 | DIV),
    (0xFFE0F0C0, 0xFAC0F080, THUMB2 | V8),
    (0xFBF08000, 0xF2400000, THUMB2 | V7),
    (0xFBF08000, 0xF2C00000, THUMB2 | V7),
    (0xFBF08000, 0xF3400000, THUMB2 | V7),
    (0xFBF08000, 0xF3600000, THUMB2 | V7),
    (0xFBF08000, 0xF3C00000, THUMB2 | V7),
    (0xFFF0F0F0, 0xFA90F0A0, THUMB2 | V7),
    (0xFFF000F0, 0xFB000010, THUMB2 | V7),
    (0xFFF0FFC0, 0xF3B08F40, THUMB2 | V7),
    (0xFFF0FFF0, 0xF3B08F60, THUMB2 | V7),
    # branches
    (0xF800D000, 0xF000D000, THUMB | BRANCH),
    (0xF800D001, 0xF000C000, THUMB | BRANCH),
    (0xF800D000, 0xF0009000, THUMB2 | BRANCH),
    (0xFFF0F000, 0xF7F0A000, THUMB2 | TRAP),
    (0xFB80D000, 0xF3808000, THUMB2),
    (0xF800D000, 0xF0008000, THUMB2 | BRANCH),
)


# Floating point and NEON, and the same instruction's first byte in ARM state.
_AS_ARM: tuple[tuple[int, int, int], ...] = (
    (0xFF000000, 0xEF000000, 0xF2000000),
    (0xFF000000, 0xFF000000, 0xF3000000),
    (0xFF100000, 0xF9000000, 0xF4000000),
    *((0xFF000000, top << 24, top << 24) for top in (0xEC, 0xED, 0xEE, 0xFC, 0xFD, 0xFE)),
)


def decode_16(half: int) -> int:
    """Classes and flow of a 16-bit Thumb instruction, or INVALID."""
    for mask, value, meaning in _ROWS_16:
        if half & mask == value:
            return meaning
    return THUMB


def decode_32(word: int) -> int:
    """Classes and flow of a 32-bit Thumb instruction, first halfword high, or INVALID."""
    for mask, value, arm in _AS_ARM:
        if word & mask == value:
            return _with_thumb2(a32.decode(arm | word & 0xFFFFFF))
    for mask, value, meaning in _ROWS_32:
        if word & mask == value:
            return meaning
    return THUMB2


def decode_any(word: int) -> int:
    """A 16-bit instruction, or a 32-bit one with its first halfword high."""
    return decode_16(word) if word < 0x10000 else decode_32(word)


def _with_thumb2(found: int) -> int:
    return found if found == INVALID else found | THUMB2


def branch_target(word: int, addr: int) -> int:
    """Where a 32-bit b, bcc, bl or blx at an address goes; blx lands in ARM state."""
    s, j1, j2 = word >> 26 & 1, word >> 13 & 1, word >> 11 & 1
    if word & 0xD000 == 0x8000:
        offset = j2 << 19 | j1 << 18 | (word >> 16 & 0x3F) << 12 | (word & 0x7FF) << 1
        return (addr + 4 + offset - (s << 20)) & 0xFFFFFFFF
    i1, i2 = 1 - (j1 ^ s), 1 - (j2 ^ s)
    offset = i1 << 23 | i2 << 22 | (word >> 16 & 0x3FF) << 12 | (word & 0x7FF) << 1
    target = addr + 4 + offset - (s << 24)
    if word & 0xD000 == 0xC000:
        target &= ~3
    return target & 0xFFFFFFFF


def _reads(top: int) -> int:
    """Which bits of a 32-bit instruction `decode_32` looks at, by its bits 31 to 20."""
    word = top << 20
    for mask, value, arm in _AS_ARM:
        if word & mask == value:
            return 0xFFF00000 | a32.READS[a32.bucket(arm | word & 0xFFFFFF)]
    rows = (row for row in _ROWS_32 if (row[1] ^ word) & row[0] & 0xFFF00000 == 0)
    return 0xFFF00000 | reduce(or_, (mask for mask, _, _ in rows), 0)


READS = [_reads(top) for top in range(4096)]
