"""One straight stretch of instructions, in ARM or Thumb state, and where it leads.

Branches, calls, literals and jump tables are read as compilers write them (AAPCS32, and the code
of GCC and clang); encodings from DDI 0406C, chapters A5 and A6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosspi.audit.code import a32, t32
from crosspi.audit.code.classes import ALL
from crosspi.audit.code.spaces import (
    ARM,
    DATA,
    THUMB,
    THUMB_16,
    UNKNOWN,
    Space,
    arm_memo,
    decode_arm,
    decode_thumb,
)

if TYPE_CHECKING:
    from crosspi.audit.code.flow import Tracer

_ARM_WORD, _THUMB_WORD = bytes((ARM, ARM)), bytes((THUMB, THUMB))
_TABLE_LIMIT = 4096
_ALWAYS = 0xE


class Run:
    """One straight stretch of instructions, kept only if it ends like code."""

    def __init__(self, tracer: Tracer, space: Space) -> None:
        self.tracer = tracer
        self.space = space
        self.targets: list[tuple[int, int, bool]] = []
        self.hits: list[tuple[int, int]] = []
        self.literals: dict[int, int] = {}
        self.sure = self.here = 0

    def branch(self, source: int, target: int, thumb: bool) -> None:
        self.targets.append((source, target & 0xFFFFFFFF, thumb))

    def finish(self, end: int, *, broken: bool) -> None:
        """Hands over what was found; a broken stretch is good up to its last call."""
        limit = end
        if broken:
            limit = self.sure
            base = self.space.code.addr
            at, stop = (limit - base) >> 1, (end - base) >> 1
            for number in range(at, stop):
                if self.space.marks[number] != DATA:
                    self.space.marks[number] = UNKNOWN
        for addr, classes in self.hits:
            if addr < limit:
                self.tracer.trace.hits[addr] = classes
        for source, target, thumb in self.targets:
            if source < limit:
                self.tracer.push(target, thumb)

    def read_literal(self, addr: int, size: int) -> int | None:
        self.tracer.mark_data(addr, size)
        return self.tracer.elf.word(addr) if size == 4 else None

    def yields_to(self, following: int) -> bool:
        """After a call: earlier code may tell that what follows is its data, so it goes first."""
        pending = self.tracer.pending
        if pending and pending[0][0] < following:
            return True
        return any(target < following for _, target, _ in self.targets)

    def table(self, base: int, addr: int, *, relative: bool, thumb: bool = False) -> None:
        """A jump table of words; it ends where the first of its targets begins."""
        space, first, source = self.space, 0xFFFFFFFF, self.here
        for _ in range(_TABLE_LIMIT):
            if addr >= first:
                break
            offset = addr - space.code.addr
            if addr & 3 or not 0 <= offset <= len(space.code.data) - 4:
                break
            entry = int.from_bytes(space.code.data[offset : offset + 4], "little")
            target = (base + entry) & 0xFFFFFFFF if relative else entry
            if thumb != bool(target & 1):
                break
            target &= ~1
            if not space.code.addr <= target < space.code.end or (not thumb and target & 3):
                break
            if abs(target - base) > 0x100000:
                break
            self.tracer.mark_data(addr, 4)
            self.branch(source, target, thumb)
            if target > addr:
                first = min(first, target)
            addr += 4


class ArmRun(Run):
    """A stretch in ARM state."""

    def run(self, start: int) -> None:
        space = self.space
        words, marks = space.words, space.marks
        shift = (space.first_word - space.code.addr) >> 1
        at, count = (start - space.first_word) >> 2, len(words)
        memo, broken = arm_memo, False
        self.sure = start
        while at < count:
            mark = 2 * at + shift
            if marks[mark] or marks[mark + 1]:
                break
            word = words[at]
            found = memo.get(word)
            if found is None:
                found = decode_arm(word)
            if found:
                if found == a32.INVALID:
                    broken = True
                    break
                addr = space.first_word + 4 * at
                if found & ALL:
                    self.hits.append((addr, found & ALL))
                marks[mark : mark + 2] = _ARM_WORD
                at += 1
                if found & a32.FLOW and self._leaves(addr, word, found):
                    break
                continue
            marks[mark : mark + 2] = _ARM_WORD
            at += 1
        self.finish(space.first_word + 4 * at, broken=broken)

    def _leaves(self, addr: int, word: int, found: int) -> bool:
        """Notes where an instruction leads; True if the next one is not reached from it."""
        self.here = addr
        if found & a32.BRANCH:
            return self._branch(addr, word)
        if found & a32.TRAP:
            return True
        if found & a32.LITERAL:
            self._literal(addr, word, found)
        if found & a32.ADD_PC:
            register = word & 15 if word >> 16 & 15 == 15 else word >> 16 & 15
            if register in self.literals:
                self.tracer.computed((addr + 8 + self.literals[register]) & 0xFFFFFFFF)
        if found & a32.INDIRECT:
            return self._indirect(addr, word)
        return False

    def _branch(self, addr: int, word: int) -> bool:
        offset = (word & 0xFFFFFF) << 2
        target = addr + 8 + offset - ((offset & 0x2000000) << 1)
        if word >> 28 == 0xF:
            self.branch(addr, target + (word >> 23 & 2), True)
        else:
            self.branch(addr, target, False)
            always = word >> 28 == _ALWAYS
            if not word >> 24 & 1:
                return always
            if always and not self.tracer.returns(target & 0xFFFFFFFF):
                return True
        return self._after_call(addr)

    def _after_call(self, addr: int) -> bool:
        self.sure = addr + 4
        if self.yields_to(addr + 4):
            self.branch(addr, addr + 4, False)
            return True
        return False

    def _literal(self, addr: int, word: int, found: int) -> None:
        up = 1 if word >> 23 & 1 else -1
        if word & 0x0C000000 == 0x04000000:
            place = addr + 8 + up * (word & 0xFFF)
            value = self.read_literal(place, 4)
            if value is not None:
                self.literals[word >> 12 & 15] = value
                self.tracer.constant(value)
                if found & a32.INDIRECT:
                    self.branch(addr, value & ~1, bool(value & 1))
        elif word & 0x0C000000 == 0x0C000000:
            place = addr + 8 + up * (word & 0xFF) * 4
            self.read_literal(place, 8 if word >> 8 & 1 else 4)
        else:
            place = addr + 8 + up * (word >> 4 & 0xF0 | word & 0xF)
            self.read_literal(place, 8 if not word >> 20 & 1 else 4)

    def _indirect(self, addr: int, word: int) -> bool:
        always = word >> 28 == _ALWAYS
        if word & 0x0FFFFFF0 == 0x012FFF30:
            return self._after_call(addr)
        if self.tracer.elf.word(addr - 4) == 0xE1A0E00F:  # mov lr, pc: a call of ARMv4
            return self._after_call(addr)
        if word & 0x0FF0FFF0 == 0x0080F100 and word >> 16 & 15 == 15:
            self._branch_table(addr + 8)
        elif word & 0x0FFFFFF0 == 0x079FF100:
            self.table(addr, addr + 8, relative=False)
        elif word & 0x0FF0FFF0 == 0x0790F100:
            self.table(addr, addr + 4, relative=False)
        elif word & 0x0FF0FFF0 == 0x0080F000:
            self.table(addr + 4, addr + 4, relative=True)
        return always

    def _branch_table(self, addr: int) -> None:
        """add pc, pc, rn, lsl #2: a list of unconditional branches follows."""
        for _ in range(_TABLE_LIMIT):
            word = self.tracer.elf.word(addr)
            if word is None or word >> 24 != 0xEA:
                break
            self.branch(self.here, addr, False)
            addr += 4


class ThumbRun(Run):
    """A stretch in Thumb state."""

    def run(self, start: int) -> None:
        space = self.space
        halves, marks, base = space.halves, space.marks, space.code.addr
        at, count = (start - base) >> 1, len(halves)
        broken, conditional = False, 0
        self.sure = start
        while at < count and not marks[at]:
            half = halves[at]
            if half < 0xE800:
                found, size = THUMB_16[half], 1
            elif at + 1 < count and not marks[at + 1]:
                found, size = decode_thumb(half, halves[at + 1])
                marks_end = at + 2
            else:
                broken = True
                break
            if found == a32.INVALID:
                broken = True
                break
            addr = base + 2 * at
            if found & ALL:
                self.hits.append((addr, found & ALL))
            if size == 1:
                marks[at] = THUMB
            else:
                marks[at:marks_end] = _THUMB_WORD
            at += size
            if found & t32.IT:
                mask = half & 15
                conditional = 5 - (mask & -mask).bit_length() + 1
            elif found & a32.FLOW:
                word = half if size == 1 else half << 16 | halves[at - 1]
                if self._leaves(addr, word, found, size, conditional > 0):
                    break
            conditional = max(conditional - 1, 0)
        self.finish(base + 2 * at, broken=broken)

    def _leaves(self, addr: int, word: int, found: int, size: int, conditional: bool) -> bool:
        self.here = addr
        if found & a32.TRAP:
            return not conditional
        if found & a32.BRANCH:
            return self._branch(addr, word, size, conditional)
        pc = (addr + 4) & ~3
        if found & a32.LITERAL:
            self._literal(addr, pc, word, size, found)
        if found & a32.ADD_PC:
            register = word & 7 | word >> 4 & 8
            if register in self.literals:
                self.tracer.computed((addr + 4 + self.literals[register]) & 0xFFFFFFFF)
        if found & a32.INDIRECT:
            return self._indirect(addr, word, size, conditional)
        return False

    def _branch(self, addr: int, word: int, size: int, conditional: bool) -> bool:
        if size == 1:
            if word & 0xF500 == 0xB100:
                self.branch(addr, addr + 4 + ((word >> 3 & 0x1F) << 1 | word >> 3 & 0x40), True)
                return False
            if word & 0xF000 == 0xD000:
                offset = (word & 0xFF) << 1
                self.branch(addr, addr + 4 + offset - ((offset & 0x100) << 1), True)
                return False
            offset = (word & 0x7FF) << 1
            self.branch(addr, addr + 4 + offset - ((offset & 0x800) << 1), True)
            return not conditional
        target = t32.branch_target(word, addr)
        if word & 0xD000 in (0x8000, 0x9000):
            self.branch(addr, target, True)
            return word & 0xD000 == 0x9000 and not conditional
        to_arm = word & 0xD000 == 0xC000
        self.branch(addr, target, not to_arm)
        if not conditional and not self.tracer.returns(target):
            return True
        return self._after_call(addr, addr + 4, conditional)

    def _after_call(self, addr: int, following: int, conditional: bool) -> bool:
        self.sure = following
        if not conditional and self.yields_to(following):
            self.branch(addr, following, True)
            return True
        return False

    def _literal(self, addr: int, pc: int, word: int, size: int, found: int) -> None:
        if size == 1:
            place, register, length = pc + (word & 0xFF) * 4, word >> 8 & 7, 4
        else:
            up = 1 if word >> 23 & 1 else -1
            top = word >> 24
            register, length = word >> 12 & 15, 4
            if top == 0xE9 or top == 0xE8:
                place, length = pc + up * (word & 0xFF) * 4, 8
            elif top == 0xED:
                place, length = pc + up * (word & 0xFF) * 4, 8 if word >> 8 & 1 else 4
            else:
                place = pc + up * (word & 0xFFF)
                length = (1, 2, 4)[word >> 21 & 3] if word >> 21 & 3 < 3 else 4
        value = self.read_literal(place, length)
        if value is not None:
            self.literals[register] = value
            self.tracer.constant(value)
            if found & a32.INDIRECT:
                self.branch(addr, value & ~1, bool(value & 1))

    def _indirect(self, addr: int, word: int, size: int, conditional: bool) -> bool:
        if size == 1:
            if word & 0xFF87 == 0x4780:
                return self._after_call(addr, addr + 2, conditional)
            if word & 0xFF87 == 0x4687 or word & 0xFF87 == 0x4700:
                register = word >> 3 & 15
                if register == 15:
                    self.branch(addr, (addr + 4) & ~3, False)
                elif word & 0xFF00 == 0x4700:
                    if self._was_added(addr, register):
                        self.table((addr + 5) & ~3, (addr + 5) & ~3, relative=True, thumb=True)
                else:
                    self._branch_table(addr + 2)
        elif word & 0xFFF0FFE0 == 0xE8D0F000 and word >> 16 & 15 == 15:
            self._byte_table(addr + 4, 2 if word & 0x10 else 1, self._bound(addr, word & 15))
        elif word & 0xFFFFFFF0 == 0xF85FF020 or word & 0xFFF0FFF0 == 0xF850F020:
            self.table(addr, (addr + 7) & ~3, relative=False, thumb=True)
        return not conditional

    def _was_added(self, addr: int, register: int) -> bool:
        """Whether the instruction before is `add register, rm`: the end of a table look-up."""
        at = (addr - self.space.code.addr >> 1) - 1
        if at < 0:
            return False
        before = self.space.halves[at]
        return before & 0xFF00 == 0x4400 and (before & 7 | before >> 4 & 8) == register

    def _bound(self, addr: int, register: int) -> int:
        """How many entries a jump table has, by the comparison that guards it."""
        halves, at = self.space.halves, (addr - self.space.code.addr) >> 1
        for here in range(at - 1, max(at - 12, 0), -1):
            half, before = halves[here], halves[here - 1]
            if half & 0xFF00 == 0x2800 | register << 8 and register < 8:
                return (half & 0xFF) + 1
            if before == 0xF1B0 | register and half & 0xFF00 == 0x0F00:
                return (half & 0xFF) + 1
        return _TABLE_LIMIT

    def _byte_table(self, base: int, width: int, count: int) -> None:
        """tbb and tbh: forward offsets in halfwords, up to where the first target begins."""
        data, first, addr = self.space.code.data, 0xFFFFFFFF, base
        for _ in range(count):
            if addr + width > first:
                break
            offset = addr - self.space.code.addr
            entry = int.from_bytes(data[offset : offset + width], "little")
            target = base + 2 * entry
            if target <= addr or target >= self.space.code.end:
                break
            first = min(first, target)
            self.branch(self.here, target, True)
            addr += width
        self.tracer.mark_data(base, (addr - base + 1) & ~1)

    def _branch_table(self, addr: int) -> None:
        """mov pc, rn after adr: a list of b.w follows."""
        addr = (addr + 3) & ~3
        for _ in range(_TABLE_LIMIT):
            word = self.tracer.elf.word(addr)
            if word is None or word & 0xD000F800 != 0x9000F000:
                break
            self.branch(self.here, addr, True)
            addr += 4
