"""Decoding one 32-bit ARM instruction into classes and control flow, by tables of mask and value.

Written from the "Arm Architecture Reference Manual, ARMv7-A and ARMv7-R edition" (DDI 0406C,
chapter A5, "ARM Instruction Set Encoding", and A7 for NEON and VFP) and, for what came after, the
ARMv8-A manual's A32 part (DDI 0487). A word that is no instruction of any of these decodes as
`INVALID`: literal data that was taken for code shows itself that way.

The result is an int: class bits (`classes.py`) in the low half, flow kinds (below) above them.
"""

from __future__ import annotations

from collections.abc import Callable

from crosspi.audit.code.classes import (
    CRYPTO,
    D32,
    DIV,
    DOTPROD,
    FP16,
    FP16ARITH,
    NEON,
    V7,
    V8,
    VFP,
    VFP3,
    VFP4,
)

INVALID = -1
BRANCH = 1 << 16  # b, bl, blx with an immediate
INDIRECT = 1 << 17  # writes the program counter in another way
LITERAL = 1 << 18  # loads relative to the program counter
ADD_PC = 1 << 19  # add rd, pc, rm: makes an address
TRAP = 1 << 20  # udf: execution ends here
FLOW = BRANCH | INDIRECT | LITERAL | ADD_PC | TRAP

_Meaning = int | Callable[[int], int]
_Row = tuple[int, int, _Meaning]


def _vfp_load_store(word: int) -> int:
    """vldr, vstr, vldm, vstm, vpush, vpop (DDI 0406C A7.6)."""
    puw = (word >> 22 & 4) | (word >> 22 & 2) | (word >> 21 & 1)
    imm, double = word & 0xFF, word >> 8 & 1
    high, low = word >> 22 & 1, word >> 12 & 15
    if puw in (4, 6):
        found = VFP | (D32 if double and high else 0)
        if word & 0x001F0000 == 0x001F0000:
            found |= LITERAL
        return found
    if puw not in (2, 3, 5):
        return INVALID
    count = imm >> 1 if double else imm
    last = (high << 4 | low if double else low << 1 | high) + count
    if not count or last > 32 or (double and count > 16):
        return INVALID
    return VFP | (D32 if double and last > 16 else 0)


def _vfp_data(word: int) -> int:
    """VFP data processing (DDI 0406C A7.5, table A7-16 and A7-17)."""
    kind = (word >> 21 & 4) | (word >> 20 & 3)
    double, op = word >> 8 & 1, word >> 6 & 1
    d, n, m = word >> 22 & 1, word >> 7 & 1, word >> 5 & 1
    if kind < 7:
        if kind == 4 and op:
            return INVALID
        return VFP | (VFP4 if kind in (5, 6) else 0) | (D32 if double and (d or n or m) else 0)
    if not op:
        if n or m:
            return INVALID
        return VFP | VFP3 | (D32 if double and d else 0)
    opc2, top = word >> 16 & 15, n
    if opc2 in (2, 3):
        return VFP | (V8 if double else FP16)
    if opc2 in (6, 9) or (opc2 == 7 and not top):
        return VFP | V8
    found, d_double, m_double = VFP, double, double
    if opc2 == 7:
        d_double, m_double = 1 - double, double
    elif opc2 == 8:
        m_double = 0
    elif opc2 in (12, 13):
        d_double = 0
    elif opc2 in (10, 11, 14, 15):
        found, m_double = VFP | VFP3, 0
    elif opc2 == 5:
        if word & 0x2F:
            return INVALID
        m_double = 0
    return found | (D32 if (d and d_double) or (m and m_double) else 0)


def _vfp_move(word: int) -> int:
    """Transfers between a core and a VFP or NEON register (DDI 0406C A7.8)."""
    opc1, opc2 = word >> 21 & 7, word >> 5 & 3
    if not word >> 8 & 1:
        if opc1 == 7:
            return VFP
        return VFP if opc1 == 0 and not word & 0x6F else INVALID
    if word & 0xF:
        return INVALID
    if not word >> 20 & 1 and opc1 & 4:
        return INVALID if opc2 & 2 else NEON
    if opc1 & 2 or opc2 & 1:
        return NEON
    if opc2 or opc1 & 4:
        return INVALID
    return VFP | (D32 if word & 0x80 else 0)


def _neon_data(word: int) -> int:
    """NEON data processing (DDI 0406C A7.4; DDI 0487 for crypto, v8.1 and v8.2)."""
    unsigned, opc, bit4 = word >> 24 & 1, word >> 8 & 15, word >> 4 & 1
    quad, size = word >> 6 & 1, word >> 20 & 3
    if not word >> 23 & 1:
        if opc == 12 and not bit4:
            return NEON | CRYPTO
        if quad and (word & 0x1000 or word & 0x10000 or word & 1):
            return INVALID
        if bit4 and unsigned and opc in (11, 12):
            return NEON | V8
        if opc > 12 or (opc == 12 and bit4):
            found = NEON | (FP16ARITH if size & 1 else 0)
            if opc == 12:
                found |= VFP4
            if opc == 15 and bit4 and unsigned:
                found |= V8
            return found
        return NEON
    if bit4:
        is_immediate = not word >> 19 & 7 and not word >> 7 & 1
        return NEON | (FP16ARITH if not is_immediate and opc in (12, 13) else 0)
    if size != 3:
        if not quad:
            narrows = opc in (4, 6)
            odd = word & 0x10001 if narrows else word & 0x1000
            if opc == 15 or (odd and opc not in (1, 3)):
                return INVALID
            return NEON | (CRYPTO if opc == 14 and size == 2 else 0)
        if unsigned and word & (0x1000 if opc & 2 and opc not in (14, 15) else 0x11000):
            return INVALID
        if opc in (14, 15):
            return NEON | V8
        return NEON | (FP16ARITH if opc in (1, 5, 9) and size == 1 else 0)
    if not unsigned:
        return NEON
    if word >> 11 & 1:
        return NEON if opc >> 2 == 2 or word & 0xF80 == 0xC00 else INVALID
    return _neon_misc(word)


def _neon_misc(word: int) -> int:
    """Two registers, miscellaneous (DDI 0406C table A7-13)."""
    group, op, quad = word >> 16 & 3, word >> 7 & 15, word >> 6 & 1
    if (group == 0 and op in (6, 7)) or (group == 1 and op == 5) or (group == 2 and op == 7):
        return NEON | CRYPTO
    if group == 2:
        if op in (12, 14):
            return NEON | (V8 if quad else FP16)
        return NEON | (V8 if op >= 8 else 0)
    if group == 3 and op < 8:
        return NEON | V8
    half = group in (1, 3) and op >= 8 and word >> 18 & 3 == 1
    return NEON | (FP16ARITH if half else 0)


def _neon_load_store(word: int) -> int:
    """vld1-4 and vst1-4 (DDI 0406C A7.7)."""
    if word >> 23 & 1:
        return INVALID if word & 0xC00 == 0xC00 and not word & 0x200000 else NEON
    return NEON if word >> 8 & 15 <= 10 else INVALID


def _load_store(word: int) -> int:
    """ldr, str, ldrb, strb with an immediate: into pc they jump, from pc they load literals."""
    if _writes_back(word) and (word & 0x000F0000 == 0x000F0000 or _same_base(word)):
        return INVALID
    if not word & 0x00100000:
        return 0
    found = LITERAL if word & 0x0F3F0000 == 0x051F0000 else 0
    return found | (INDIRECT if word & 0x0040F000 == 0xF000 else 0)


def _load_store_register(word: int) -> int:
    """The same with a register as offset, which is never pc."""
    return INVALID if word & 15 == 15 else _load_store(word)


def _writes_back(word: int) -> bool:
    """Post-indexed, or with an exclamation mark."""
    return word & 0x01200000 != 0x01000000


def _same_base(word: int) -> bool:
    """A load or store that changes its own register as its base: unpredictable."""
    return not (word >> 16 ^ word >> 12) & 15


def _extra_load_store(word: int) -> int:
    """ldrh, ldrsb, ldrsh, ldrd and stores (DDI 0406C A5.2.8, A5.2.9); none of them takes pc."""
    kind, load = word >> 5 & 3, word >> 20 & 1
    immediate, doubleword = word & 0x00400000, not load and kind >= 2
    if not immediate and (word & 0xF00 or word & 15 == 15):
        return INVALID
    if word & 0xF000 == 0xF000 or (doubleword and (word & 0x1000 or word & 0xE000 == 0xE000)):
        return INVALID
    if _writes_back(word) and (word & 0x000F0000 == 0x000F0000 or _same_base(word)):
        return INVALID
    if word & 0x01200000 == 0x00200000:
        return V7 if load or kind == 1 else INVALID
    is_load = load or kind == 2
    return LITERAL if is_load and word & 0x016F0000 == 0x014F0000 else 0


def _data_processing(word: int) -> int:
    """and ... mvn: with pc as destination they jump."""
    opcode, sets = word >> 21 & 15, word >> 20 & 1
    destination = word >> 12 & 15
    if 8 <= opcode <= 11:
        return 0 if sets and destination == 0 else INVALID
    if opcode in (13, 15) and word & 0x000F0000:
        return INVALID
    return INDIRECT if destination == 15 else 0


def _shifted_by_register(word: int) -> int:
    """Data processing with a shift by a register takes no pc anywhere (DDI 0406C A5.2.2)."""
    if any(word >> place & 15 == 15 for place in (0, 8, 12, 16)):
        return INVALID
    return _data_processing(word)


def _add(word: int) -> int:
    """add with registers: with pc it makes an address."""
    if word & 0xF000 == 0xF000:
        return INDIRECT
    is_address = word & 0x000F0FF0 == 0x000F0000 or word & 0x00000FFF == 0xF
    return ADD_PC if is_address else 0


def _block_transfer(word: int) -> int:
    if not word & 0xFFFF or word & 0x00400000 or word & 0x000F0000 == 0x000F0000:
        return INVALID
    return INDIRECT if word & 0x00108000 == 0x00108000 else 0


_PARALLEL: list[_Row] = [
    (0x0FF00FF0, 0x06000F10 | op1 << 20 | op2 << 5, 0)
    for op1 in (1, 2, 3, 5, 6, 7)
    for op2 in (0, 1, 2, 3, 4, 7)
]

# Rows for words with a condition (bits 31-28 not 1111), most special first; the condition is
# masked away.
_CONDITIONAL: list[_Row] = [
    # multiplies, swaps and exclusives
    (0x0FC0F0F0, 0x00000090, 0),
    (0x0FE000F0, 0x00200090, 0),
    (0x0FF000F0, 0x00400090, 0),
    (0x0FF000F0, 0x00600090, V7),
    (0x0F8000F0, 0x00800090, 0),
    (0x0FB00FF0, 0x01000090, 0),
    (0x0F800FF0, 0x01800F90, 0),
    (0x0F800FF0, 0x01800E90, V8),
    (0x0F800FF0, 0x01800C90, V8),
    (0x0E0000F0, 0x00000090, INVALID),
    (0x0E000090, 0x00000090, _extra_load_store),
    # miscellaneous
    (0x0FBF0FFF, 0x010F0000, 0),
    (0x0FB0FFF0, 0x0120F000, 0),
    (0x0F900DF0, 0x01000040, V8),
    (0x0FFFFFF0, 0x012FFF10, INDIRECT),
    (0x0FFFFFF0, 0x012FFF20, INDIRECT),
    (0x0FFFFFF0, 0x012FFF30, INDIRECT),
    (0x0FFF0FF0, 0x016F0F10, 0),
    (0x0F900FF0, 0x01000050, 0),
    (0x0FFFFFFF, 0x0160006E, V7),
    (0x0FF000F0, 0x01000070, V8),
    (0x0FF000F0, 0x01200070, 0),
    (0x0FF000F0, 0x01400070, V7),
    (0x0FFFFFF0, 0x01600070, 0),
    (0x0F900090, 0x01000080, 0),
    (0x0F900000, 0x01000000, INVALID),
    (0x0E000090, 0x00000010, _shifted_by_register),
    (0x0FF00000, 0x00800000, _add),
    (0x0E000000, 0x00000000, _data_processing),
    # data processing with an immediate
    (0x0FF00000, 0x03000000, V7),
    (0x0FF00000, 0x03400000, V7),
    (0x0FFFFF00, 0x0320F000, 0),
    (0x0FB0F000, 0x0320F000, 0),
    (0x0FB00000, 0x03200000, INVALID),
    (0x0E000000, 0x02000000, _data_processing),
    # load and store
    (0x0E000000, 0x04000000, _load_store),
    (0x0E000010, 0x06000000, _load_store_register),
    # media
    *_PARALLEL,
    (0x0FF00070, 0x06800010, 0),
    (0x0FF00070, 0x06800050, 0),
    (0x0FF00FF0, 0x06800FB0, 0),
    (0x0F8003F0, 0x06800070, 0),
    (0x0FA00030, 0x06A00010, 0),
    (0x0FB00FF0, 0x06A00F30, 0),
    (0x0FFF0FF0, 0x06BF0F30, 0),
    (0x0FFF0FF0, 0x06BF0FB0, 0),
    (0x0FFF0FF0, 0x06FF0F30, V7),
    (0x0FFF0FF0, 0x06FF0FB0, 0),
    (0x0FF00090, 0x07000010, 0),
    (0x0FF0F0F0, 0x0710F010, DIV),
    (0x0FF0F0F0, 0x0730F010, DIV),
    (0x0FF00090, 0x07400010, 0),
    (0x0FF000D0, 0x07500010, 0),
    (0x0FF000D0, 0x075000D0, 0),
    (0x0FF000F0, 0x07800010, 0),
    (0x0FE00070, 0x07A00050, V7),
    (0x0FE00070, 0x07C00010, V7),
    (0x0FE00070, 0x07E00050, V7),
    (0x0FF000F0, 0x07F000F0, TRAP),
    (0x0E000010, 0x06000010, INVALID),
    # block transfer, branches, system call
    (0x0E000000, 0x08000000, _block_transfer),
    (0x0E000000, 0x0A000000, BRANCH),
    (0x0F000000, 0x0F000000, 0),
    # coprocessors 10 and 11 (VFP), 9 (half precision of ARMv8.2), 14 and 15 (system)
    (0x0FE00FF0, 0x0C400B30, VFP | D32),
    (0x0FE00FD0, 0x0C400B10, VFP),
    (0x0FE00FD0, 0x0C400A10, VFP),
    (0x0FE00000, 0x0C400000, INVALID),
    (0x0E000E00, 0x0C000A00, _vfp_load_store),
    (0x0F000E10, 0x0E000A00, _vfp_data),
    (0x0F000E10, 0x0E000A10, _vfp_move),
    (0x0F200F00, 0x0D000900, FP16ARITH),
    (0x0F000F00, 0x0E000900, FP16ARITH),
    (0x0F000E10, 0x0E000E10, 0),
]

# Rows for words whose bits 31-28 are 1111 (DDI 0406C A5.7).
_UNCONDITIONAL: list[_Row] = [
    (0xFFFFFDFF, 0xF1010000, 0),
    (0xFFF1FE20, 0xF1000000, 0),
    (0xFFF000F0, 0xF1100000, V8),
    (0xFE000000, 0xF2000000, _neon_data),
    (0xFF100000, 0xF4000000, _neon_load_store),
    (0xFD70F000, 0xF450F000, V7),
    (0xFD70F000, 0xF510F000, V7),
    (0xFD70F000, 0xF550F000, 0),
    (0xFD70F010, 0xF650F000, V7),
    (0xFD70F010, 0xF710F000, V7),
    (0xFD70F010, 0xF750F000, 0),
    (0xFFFFFFFF, 0xF57FF01F, 0),
    (0xFFFFFFF0, 0xF57FF040, V7),
    (0xFFFFFFF0, 0xF57FF050, V7),
    (0xFFFFFFF0, 0xF57FF060, V7),
    (0xFFFFFFFF, 0xF57FF070, V8),
    (0xFE000000, 0xFA000000, BRANCH),
    (0xFFB00F00, 0xFC200D00, DOTPROD),
    (0xFFB00F00, 0xFE200D00, DOTPROD),
    (0xFFBF0F50, 0xFEB00A40, FP16ARITH),
    (0xFF800E50, 0xFE000A00, VFP | V8),
    (0xFFB00E10, 0xFE800A00, VFP | V8),
    (0xFFB80E50, 0xFEB80A40, VFP | V8),
    (0xFF800F00, 0xFE000900, FP16ARITH),
    (0xFF800F00, 0xFE800900, FP16ARITH),
    (0xFE000F00, 0xFC000800, NEON | V8),
    (0xFF000F10, 0xFE000800, NEON | V8),
    (0xFE200F10, 0xFC000D00, NEON | V8),
    (0xFFB00F00, 0xFC200C00, NEON | V8),
    (0xFFB00F00, 0xFEA00D00, NEON | V8),
    (0xFFB00F00, 0xFCA00D00, NEON | V8),
]


def _buckets(rows: list[_Row]) -> tuple[tuple[_Row, ...], ...]:
    """The rows that can match, for each value of bits 27 to 20."""
    return tuple(
        tuple(row for row in rows if (row[1] ^ number << 20) & row[0] & 0x0FF00000 == 0)
        for number in range(256)
    )


_BY_COND, _BY_NV = _buckets(_CONDITIONAL), _buckets(_UNCONDITIONAL)

# Which bits each function looks at.
_LOOKS: dict[Callable[[int], int], int] = {
    _vfp_load_store: 0x01FFF1FF,
    _vfp_data: 0x00FF01EF,
    _vfp_move: 0x00F001EF,
    _neon_data: 0x01BF1FD1,
    _neon_load_store: 0x00A00F00,
    _load_store: 0x0F7FF000,
    _load_store_register: 0x0F7FF00F,
    _extra_load_store: 0x017FFF6F,
    _data_processing: 0x01FFF000,
    _shifted_by_register: 0x01FFFF0F,
    _add: 0x000FFFFF,
    _block_transfer: 0x005FFFFF,
}


def bucket(word: int) -> int:
    """Where the rows of a word stand: by its bits 27 to 20, and whether it has a condition."""
    return (word >> 20 & 0xFF) | (word >= 0xF0000000) << 8


def _reads(number: int) -> int:
    """Which bits `decode` looks at in the words of a bucket; its own among them."""
    top = 0xFFF00000 if number >> 8 else 0x0FF00000
    found = top
    for mask, _, meaning in (_BY_NV if number >> 8 else _BY_COND)[number & 0xFF]:
        found |= mask & top | mask & 0xFFFFF
        if not isinstance(meaning, int):
            found |= _LOOKS[meaning]
        if not mask & 0xFFFFF:
            break
    return found & 0xFFFFFFFF


READS = [_reads(number) for number in range(512)]


def decode(word: int) -> int:
    """Classes and flow of one ARM instruction, or INVALID."""
    rows = (_BY_NV if word >= 0xF0000000 else _BY_COND)[word >> 20 & 0xFF]
    for mask, value, meaning in rows:
        if word & mask == value:
            return meaning if isinstance(meaning, int) else meaning(word)
    return INVALID
