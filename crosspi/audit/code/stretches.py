"""One straight stretch of instructions, in ARM or Thumb state, and where it leads.

Branches, calls, literals and jump tables are read as compilers write them (AAPCS32, and the code
of GCC and clang); encodings from DDI 0406C, chapters A5 and A6. Only instructions that lead away
or load a constant are looked at one by one: `kinds` knows where they are.
"""

from __future__ import annotations

import re
from typing import Protocol

from crosspi.audit.code import a32, t32
from crosspi.audit.code.kinds import ARM_NUMBERS, NOTHING, THUMB_NUMBERS
from crosspi.audit.code.spaces import ARM, BEGIN, DATA, KNOWN, STATE, THUMB, UNKNOWN, Space

TABLE_LIMIT = 4096
_STOP = re.compile(rb"[\x80-\xff]")
_WINDOW = 256
_ALWAYS = 0xE


class Follower(Protocol):
    """What a stretch asks of whoever follows the execution."""

    def push(self, addr: int, thumb: bool) -> None:
        """The execution may go on there."""

    def mark_data(self, addr: int, size: int) -> None:
        """Something is loaded from there."""

    def constant(self, value: int) -> None:
        """A word was loaded from a literal pool."""

    def computed(self, addr: int) -> None:
        """An address was computed."""

    def returns(self, target: int) -> bool:
        """False for calls that never come back."""

    def word(self, addr: int) -> int | None:
        """The word at an address."""

    def goes_first(self, following: int) -> bool:
        """Whether code before an address waits to be followed."""

    def entry_of_table(self) -> bool:
        """Whether one more entry of a jump table may be read: a hostile file has no end of them."""


class Run:
    """One straight stretch of instructions, kept only if it ends like code."""

    def __init__(self, follower: Follower, space: Space, level: int) -> None:
        self.follower = follower
        self.space = space
        self.level = level
        self.targets: list[tuple[int, int, bool]] = []
        self.literals: dict[int, int] = {}
        self.start = self.sure = self.here = 0
        self.lowest = 1 << 32

    def branch(self, source: int, target: int, thumb: bool) -> None:
        """Notes a target, unless it is known already: what other stretches found stays."""
        target &= 0xFFFFFFFF
        place = (target - self.space.code.addr) >> 1
        if 0 <= place < self.space.size and self.space.marks[place]:
            if self.start <= target <= source:
                self.targets.append((source, target, thumb))
            return
        self.targets.append((source, target, thumb))
        self.lowest = min(self.lowest, target)

    def finish(self, end: int, *, broken: bool) -> None:
        """Hands over what was found; a broken stretch is good up to its last call."""
        limit = end
        if broken:
            limit = self.sure
            marks, base = self.space.marks, self.space.code.addr
            for number in range((limit - base) >> 1, (end - base) >> 1):
                if marks[number] & STATE != DATA:
                    marks[number] = UNKNOWN
        for source, target, thumb in self.targets:
            if source < limit:
                self.follower.push(target, thumb)

    def read_literal(self, addr: int, size: int) -> int | None:
        self.follower.mark_data(addr, size)
        return self.follower.word(addr) if size == 4 else None

    def yields_to(self, following: int) -> bool:
        """After a call: earlier code may tell that what follows is its data, so it goes first."""
        return self.lowest < following or self.follower.goes_first(following)

    def table(self, base: int, addr: int, *, relative: bool, thumb: bool = False) -> None:
        """A jump table of words; it ends where the first of its targets begins."""
        space, first, source = self.space, 0xFFFFFFFF, self.here
        for _ in range(TABLE_LIMIT):
            if addr >= first or not self.follower.entry_of_table():
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
            self.follower.mark_data(addr, 4)
            self.branch(source, target, thumb)
            if target > addr:
                first = min(first, target)
            addr += 4


class ArmRun(Run):
    """A stretch in ARM state."""

    def run(self, start: int) -> None:
        space = self.space
        kinds, words, marks, first_word = space.arm, space.words, space.marks, space.first_word
        meanings, search, known = ARM_NUMBERS.meanings, _STOP.search, KNOWN.search
        shift = (first_word - space.code.addr) >> 1
        at, count = (start - first_word) >> 2, len(words)
        first, returns = at, self.follower.returns
        mark = bytes((ARM | self.level,))
        broken = False
        self.start = self.sure = start
        while at < count:
            window = min(at + _WINDOW, count)
            stop = search(kinds, at, window)
            end = stop.start() + 1 if stop else window
            seen = known(marks, 2 * at + shift, 2 * end + shift)
            if seen:
                end = (seen.start() - shift) >> 1
                marks[2 * at + shift : 2 * end + shift] = mark * (2 * (end - at))
                at = end
                break
            if stop and kinds[end - 1] == NOTHING:
                broken = True
                marks[2 * at + shift : 2 * end + shift - 2] = mark * (2 * (end - at) - 2)
                at = end - 1
                break
            marks[2 * at + shift : 2 * end + shift] = mark * (2 * (end - at))
            at = end
            if not stop:
                continue
            word, addr = words[at - 1], first_word + 4 * at - 4
            found = meanings[kinds[at - 1]]
            if found != a32.BRANCH or word >> 28 == 0xF:
                if self._leaves(addr, word, found):
                    break
                continue
            # Branches and calls are so many that they are read here.
            target = at + 1 + ((word & 0xFFFFFF) ^ 0x800000) - 0x800000
            if not (0 <= target < count and marks[2 * target + shift]) or first <= target < at:
                self.branch(addr, first_word + 4 * target, False)
            if word >> 24 & 1:
                if word >> 28 == _ALWAYS and not returns((first_word + 4 * target) & 0xFFFFFFFF):
                    break
                if self._after_call(addr):
                    break
            elif word >> 28 == _ALWAYS:
                break
        self.finish(first_word + 4 * at, broken=broken)

    def _leaves(self, addr: int, word: int, found: int) -> bool:
        """Notes where an instruction leads; True if the next one is not reached from it."""
        self.here = addr
        if found & a32.BRANCH:
            return self._exchange(addr, word)
        if found & a32.TRAP:
            return True
        if found & a32.LITERAL:
            self._literal(addr, word, found)
        if found & a32.ADD_PC:
            register = word & 15 if word >> 16 & 15 == 15 else word >> 16 & 15
            if register in self.literals:
                self.follower.computed((addr + 8 + self.literals[register]) & 0xFFFFFFFF)
        if found & a32.INDIRECT:
            return self._indirect(addr, word)
        return False

    def _exchange(self, addr: int, word: int) -> bool:
        """blx: a call of Thumb code."""
        offset = (word & 0xFFFFFF) << 2
        target = addr + 8 + offset - ((offset & 0x2000000) << 1)
        self.branch(addr, target + (word >> 23 & 2), True)
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
                self.follower.constant(value)
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
        if self.follower.word(addr - 4) == 0xE1A0E00F:  # mov lr, pc: a call of ARMv4
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
        for _ in range(TABLE_LIMIT):
            word = self.follower.word(addr)
            if word is None or word >> 24 != 0xEA or not self.follower.entry_of_table():
                break
            self.branch(self.here, addr, False)
            addr += 4


class ThumbRun(Run):
    """A stretch in Thumb state."""

    def run(self, start: int) -> None:
        space = self.space
        kinds, halves, marks, base = space.thumb, space.halves, space.marks, space.code.addr
        meanings, search, known = THUMB_NUMBERS.meanings, _STOP.search, KNOWN.search
        at, count = (start - base) >> 1, len(halves)
        mark = bytes((THUMB | self.level,))
        first, broken, conditional = at, False, 0
        self.start = self.sure = start
        while at < count:
            here, stop = at, True
            if kinds[at]:  # else the second half of something, for code elsewhere
                window = min(at + _WINDOW, count)
                match = search(kinds, at, window)
                here, stop = (match.start(), True) if match else (window, False)
                if not stop and here < count and not kinds[here]:
                    here -= 1
            seen = known(marks, at, here)
            if seen:
                end = seen.start()
                if end > at and not kinds[end]:
                    broken = True
                    end -= 1
                marks[at:end] = mark * (end - at)
                at = end
                break
            marks[at:here] = mark * (here - at)
            at = here
            if not stop:
                continue
            number = space.thumb_number(at)
            size = space.thumb_size(at)
            if marks[at]:
                break
            if number == NOTHING or (size == 2 and marks[at + 1]):
                broken = True
                break
            addr = base + 2 * at
            marks[at : at + size] = mark * size
            half = halves[at]
            at += size
            found = meanings[number]
            if found & t32.IT:
                conditional = self._block_end(at, half & 15)
            elif found & a32.FLOW:
                word = half if size == 1 else half << 16 | halves[at - 1]
                if self._leaves(addr, word, found, size, addr < conditional):
                    break
        if at > first and marks[first] & STATE == THUMB:
            marks[first] |= BEGIN
        self.finish(base + 2 * at, broken=broken)

    def _block_end(self, at: int, mask: int) -> int:
        """The address behind the instructions that an `it` makes conditional."""
        for _ in range(5 - (mask & -mask).bit_length()):
            if at < len(self.space.halves):
                at += self.space.thumb_size(at)
        return self.space.code.addr + 2 * at

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
                self.follower.computed((addr + 4 + self.literals[register]) & 0xFFFFFFFF)
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
        if not conditional and not self.follower.returns(target):
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
            self.follower.constant(value)
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
        return TABLE_LIMIT

    def _byte_table(self, base: int, width: int, count: int) -> None:
        """tbb and tbh: forward offsets in halfwords, up to where the first target begins."""
        data, first, addr = self.space.code.data, 0xFFFFFFFF, base
        for _ in range(count):
            if addr + width > first or not self.follower.entry_of_table():
                break
            offset = addr - self.space.code.addr
            entry = int.from_bytes(data[offset : offset + width], "little")
            target = base + 2 * entry
            if target <= addr or target >= self.space.code.end:
                break
            first = min(first, target)
            self.branch(self.here, target, True)
            addr += width
        self.follower.mark_data(base, (addr - base + 1) & ~1)

    def _branch_table(self, addr: int) -> None:
        """mov pc, rn after adr: a list of b.w follows."""
        addr = (addr + 3) & ~3
        for _ in range(TABLE_LIMIT):
            word = self.follower.word(addr)
            if word is None or word & 0xD000F800 != 0x9000F000:
                break
            if not self.follower.entry_of_table():
                break
            self.branch(self.here, addr, True)
            addr += 4
