"""Which bytes of a stripped file are code: following the control flow from known entry points.

In a stripped file constants lie between instructions (literal pools, jump tables), and nothing
says which is which; a linear disassembly sees NEON in string hashes. So execution is followed:
entry points are what the loader and other files can reach (ELF start functions, dynamic symbols,
functions in relocated data), then the unwind index, then code addresses that the code itself
computes, then what looks like a function start in the gaps. A word that is loaded as a constant
is data, whatever else leads to it; a stretch that runs into a word which is no instruction was
never code and is taken back.

Calling conventions and idioms: AAPCS32, AAELF32 (PLT, mapping symbols), EHABI32 (unwind index).
"""

from __future__ import annotations

import heapq
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from crosspi.audit.code import a32
from crosspi.audit.code.kinds import ARM_NUMBERS, NOTHING, chunks
from crosspi.audit.code.spaces import ARM, DATA, GUESSED, KNOWN, THUMB, UNKNOWN, Space
from crosspi.audit.code.stretches import ArmRun, ThumbRun
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import (
    DT_PLTGOT,
    R_ABS32,
    R_JUMP_SLOT,
    R_RELATIVE,
)
from crosspi.audit.spool import giving_back

_PUSH_LR_16 = 0xB500
_THUMB_TO_ARM = 0x46C04778  # bx pc; nop: the head of a PLT entry called from Thumb state
_ALWAYS = 0xE
_PADDING = (0, 0xBF00, 0x46C0)
_FILLER = 0xD4D4D4D4  # lld: between PLT entries and at the end of executable segments

# How much is looked at before memory is given back, and how many functions are remembered.
_STRIDE, _STRETCHES, _REMEMBERED = 1 << 20, 1 << 13, 1 << 16

_NO_RETURN = re.compile(
    r"abort|_*exit|quick_exit|pthread_exit|(__sig|_)*longjmp(_chk)?|__stack_chk_fail|__assert\w*"
    r"|__chk_fail|__fortify_fail|__cxa_(throw|rethrow|bad_\w+|throw_\w+|pure_virtual)"
    r"|_Unwind_Resume|_ZSt\d+__throw_\w+|_ZSt9terminatev|Py_FatalError|_Py_FatalErrorFunc"
)


class Tracer:
    """Follows the control flow of one file."""

    def __init__(self, elf: Elf, spaces: Sequence[Space], *, thumb: bool) -> None:
        self.elf = elf
        self.may_be_thumb = thumb
        self.spaces = spaces
        self._starts = [space.code.addr for space in spaces]
        self._level = self._followed = 0
        self._pending: list[int] = []  # twice the address, plus 1 in Thumb state
        self._computed: set[int] = set()
        self._got = elf.dyn(DT_PLTGOT)
        self._slots = self._plt_slots()
        self._no_return: dict[int, bool] = {}
        # Real tables are marked as data when they are read: one is hardly read twice.
        self._table_entries = 2 * sum(space.size for space in spaces)

    def run(self) -> None:
        """The whole file: sure entry points first, then guesses from better to worse."""
        for addr in self._sure_roots():
            self.push(addr & ~1, bool(addr & 1))
        self._follow()
        self._judge_thumb()
        for addr in self.elf.exidx_functions.data:
            self._push_guess(addr)
        self._follow()
        while self._computed:
            computed, self._computed = sorted(self._computed), set()
            for addr in computed:
                if addr & 1:
                    self.push(addr & ~1, self.may_be_thumb)
                elif self._plausible_arm(addr):
                    self.push(addr, False)
            self._follow()
        self._level = GUESSED
        for space in self.spaces:
            self._mark_fillers(space)
            self._search_gaps(space)

    # entry points

    def _sure_roots(self) -> list[int]:
        found = [np.array(self.elf.start_functions, np.uint32)]
        for table in (self.elf.dynamic_symbols, self.elf.symbols):
            found.append(table.values[table.functions])
        moved = self.elf.relocations
        absolute = moved.addresses[(moved.kinds == R_RELATIVE) | (moved.kinds == R_ABS32)]
        pointers = np.unique(self.elf.words(absolute))
        for space in self.spaces:
            code = space.code
            found.append(pointers[(pointers >= code.addr) & (pointers < code.end)])
        roots: list[int] = np.unique(np.concatenate(found)).tolist()
        return roots

    def _plt_slots(self) -> dict[int, str]:
        symbols, moved = self.elf.dynamic_symbols, self.elf.relocations
        slots = (moved.kinds == R_JUMP_SLOT) & (moved.symbols < len(symbols))
        pairs = zip(moved.addresses[slots].tolist(), moved.symbols[slots].tolist(), strict=True)
        return {addr: symbols.name(number) for addr, number in pairs}

    def _push_guess(self, addr: int) -> None:
        """An entry point of which the instruction set is not known."""
        space = self._space(addr)
        if space is None or space.marks[(addr - space.code.addr) >> 1] != UNKNOWN:
            return
        self.push(addr, self.may_be_thumb and not self._looks_arm(space, addr))

    def _looks_arm(self, space: Space, addr: int) -> bool:
        """Nearly all ARM instructions are unconditional: their first four bits are 1110."""
        if addr & 3:
            return False
        at = (addr - space.first_word) >> 2
        window = space.words[at : at + 8]
        return sum(word >> 28 == _ALWAYS for word in window) * 2 >= len(window)

    def _plausible_arm(self, addr: int) -> bool:
        """Whether what lies there looks like ARM code that nobody has reached yet."""
        space = self._space(addr)
        if space is None or addr & 3 or space.marks[(addr - space.code.addr) >> 1]:
            return False
        at = (addr - space.first_word) >> 2
        window = space.words[at : at + 4]
        return (
            len(window) == 4
            # NEON has a space of its own, where the condition's bits are 1111.
            and sum(word >> 28 >= _ALWAYS for word in window) >= 3
            and NOTHING not in space.arm[at : at + 4]
        )

    def _judge_thumb(self) -> None:
        """Guesses are in Thumb state only where a good part of the sure code is."""
        arm = sum(space.count(ARM) for space in self.spaces)
        thumb = sum(space.count(THUMB) for space in self.spaces)
        if arm + thumb:
            self.may_be_thumb = thumb * 10 >= arm + thumb

    def _mark_fillers(self, space: Space) -> None:
        """What a linker fills gaps with is data where nothing leads to it."""
        words, marks = np.frombuffer(space.words, np.uint32), np.frombuffer(space.marks, np.uint8)
        shift = space.first_word - space.code.addr >> 1
        for part in giving_back(chunks(len(words)), space.code.data, space.marks):
            fillers = np.flatnonzero(words[part] == _FILLER) + part.start
            low = 2 * fillers + shift
            low = low[(marks[low] == UNKNOWN) & (marks[low + 1] == UNKNOWN)]
            marks[low] = marks[low + 1] = DATA

    def _search_gaps(self, space: Space) -> None:
        """Function starts in what is still unknown."""
        marks, base, count, at = space.marks, space.code.addr, space.size, 0
        candidates = self._function_starts(space)
        while (at := self._next_gap(space, at)) < count:
            while at < count and not marks[at] and space.halves[at] in _PADDING:
                at += 1
            if at >= count or marks[at]:
                continue
            if self._begins_a_gap(space, at):
                start, thumb = at, self.may_be_thumb
            else:
                following = bisect_left(candidates, 2 * at)
                code = candidates[following] if following < len(candidates) else 2 * count
                start, thumb = code >> 1, bool(code & 1)
                known = KNOWN.search(marks, at, start)
                if known or start == count:
                    at = known.start() if known else start
                    continue
            self.push(base + 2 * start, thumb)
            self._follow()
            at = start
            if marks[at] == UNKNOWN:
                at += 1 if thumb else 2

    def _next_gap(self, space: Space, at: int) -> int:
        """The next halfword of which nothing is known, or the end."""
        while at < space.size:
            stop = min(at + _STRIDE, space.size)
            found = space.marks.find(b"\0", at, stop)
            if found >= 0:
                return found
            space.give_back()
            at = stop
        return space.size

    def _begins_a_gap(self, space: Space, at: int) -> bool:
        """Whether the first thing in a gap looks like code."""
        addr = space.code.addr + 2 * at
        if self.may_be_thumb:
            return space.halves[at] & 0xFF00 == _PUSH_LR_16
        if space.marks[at : at + 8] == bytes(8) and self._plausible_arm(addr):
            # Hardly a function begins with a conditional instruction; a constant may.
            return space.words[(addr - space.first_word) >> 2] >> 28 >= _ALWAYS
        return self._is_short_block(space, addr)

    def _is_short_block(self, space: Space, addr: int) -> bool:
        """Up to four unconditional instructions, and the last one leads away."""
        if addr & 3:
            return False
        first = (addr - space.first_word) >> 2
        for at in range(first, min(first + 4, len(space.words))):
            place = (space.first_word - space.code.addr >> 1) + 2 * at
            if space.words[at] >> 28 != _ALWAYS or any(space.marks[place : place + 2]):
                return False
            meaning = ARM_NUMBERS.meanings[space.arm[at]]
            if meaning == a32.INVALID:
                return False
            is_jump = meaning & a32.BRANCH and not space.words[at] >> 24 & 1
            if is_jump or meaning & a32.INDIRECT:
                return True
        return False

    def _function_starts(self, space: Space) -> array[int]:
        """Where functions save their return address: twice the halfword, plus 1 in Thumb state."""
        halves = np.frombuffer(space.halves, np.uint16)
        odd = space.code.addr >> 1 & 1
        found = array("q")
        for part in giving_back(chunks(len(halves)), space.code.data):
            some = halves[part.start : part.stop + 1]
            low, high = some[:-1], some[1:]
            arm = np.flatnonzero((high == 0xE92D) & (low & 0xF000 == 0x4000)) + part.start
            starts = 2 * arm[arm & 1 == odd]
            if self.may_be_thumb:
                thumb = np.flatnonzero((low == 0xE92D) & (high & 0xF000 == 0x4000)) + part.start
                starts = np.sort(np.concatenate([starts, 2 * thumb + 1]))
            found.frombytes(starts.astype(np.int64).tobytes())
        return found

    # following

    def _space(self, addr: int) -> Space | None:
        if not self._starts or addr < self._starts[0]:
            return None
        space = self.spaces[bisect_right(self._starts, addr) - 1]
        return space if addr - space.code.addr < 2 * len(space.halves) else None

    def push(self, addr: int, thumb: bool) -> None:
        heapq.heappush(self._pending, addr << 1 | thumb)

    def goes_first(self, following: int) -> bool:
        return bool(self._pending) and self._pending[0] < following << 1

    def entry_of_table(self) -> bool:
        self._table_entries -= 1
        return self._table_entries >= 0

    def word(self, addr: int) -> int | None:
        return self.elf.word(addr)

    def _follow(self) -> None:
        while self._pending:
            self._followed += 1
            if self._followed % _STRETCHES == 0:
                for looked_at in self.spaces:
                    looked_at.give_back()
            place = heapq.heappop(self._pending)
            addr, thumb = place >> 1, bool(place & 1)
            space = self._space(addr)
            if space is None or space.marks[(addr - space.code.addr) >> 1] != UNKNOWN:
                continue
            if thumb:
                ThumbRun(self, space, self._level).run(addr)
            elif not addr & 3:
                ArmRun(self, space, self._level).run(addr)

    def mark_data(self, addr: int, size: int) -> None:
        space = self._space(addr)
        if space is not None:
            at = (addr - space.code.addr) >> 1
            stop = min(at + (size + 1) // 2, space.size)
            space.marks[at:stop] = bytes((DATA,)) * (stop - at)

    def constant(self, value: int) -> None:
        """A literal may be an offset from the GOT to a function (R_ARM_GOTOFF32)."""
        if self._got is not None:
            addr = (self._got + value) & 0xFFFFFFFF
            space = self._space(addr)
            if space is not None and self._saves_lr(space, addr):
                self._computed.add(addr)

    def _saves_lr(self, space: Space, addr: int) -> bool:
        """Whether a function that saves its return address begins there."""
        at = (addr - space.code.addr) >> 1
        low = space.halves[at]
        high = space.halves[at + 1] if at + 1 < len(space.halves) else 0
        if addr & 1:
            return low & 0xFF00 == _PUSH_LR_16 or (low == 0xE92D and high & 0xF000 == 0x4000)
        return not addr & 3 and high == 0xE92D and low & 0xF000 == 0x4000

    def computed(self, addr: int) -> None:
        """An address that the code computes; it may be a function that is called by pointer."""
        if self._space(addr) is not None:
            self._computed.add(addr)

    def returns(self, target: int) -> bool:
        """False for calls that never come back: what follows them may be data."""
        ends = self._no_return.get(target)
        if ends is None:
            stub = self.elf.word(target)
            entry = target + 4 if stub == _THUMB_TO_ARM else target
            name = self._slots.get(self._plt_slot(entry), "")
            if len(self._no_return) > _REMEMBERED:
                self._no_return.clear()
            ends = self._no_return[target] = bool(_NO_RETURN.fullmatch(name))
        return not ends

    def _plt_slot(self, addr: int) -> int:
        """The GOT slot through which a PLT entry jumps: add ip,pc; add ip,ip; ldr pc,[ip]!"""
        slot = addr + 8
        for step in range(3):
            word = self.elf.word(addr + 4 * step)
            if word is None:
                return 0
            if word & 0xFFF00000 == 0xE2800000:
                turn = (word >> 8 & 15) * 2
                value = word & 0xFF
                slot += (value >> turn | value << (32 - turn)) & 0xFFFFFFFF
            elif word & 0xFFFFF000 == 0xE5BCF000:
                return (slot + (word & 0xFFF)) & 0xFFFFFFFF
        return 0
