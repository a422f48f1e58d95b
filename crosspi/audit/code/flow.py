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
from bisect import bisect_right
from collections.abc import Iterable

from crosspi.audit.code import a32
from crosspi.audit.code.spaces import (
    ARM,
    DATA,
    THUMB,
    UNKNOWN,
    Space,
    Trace,
    decode_arm,
    make_space,
)
from crosspi.audit.code.stretches import ArmRun, ThumbRun
from crosspi.audit.elf import (
    DT_PLTGOT,
    R_ABS32,
    R_JUMP_SLOT,
    R_RELATIVE,
    STT_FUNC,
    STT_GNU_IFUNC,
    CodeRange,
    Elf,
)

_PUSH_LR_16 = 0xB500
_THUMB_TO_ARM = 0x46C04778  # bx pc; nop: the head of a PLT entry called from Thumb state
_KNOWN = re.compile(rb"[^\0]")
_ALWAYS = 0xE

_NO_RETURN = re.compile(
    r"abort|_*exit|quick_exit|pthread_exit|(__sig|_)*longjmp(_chk)?|__stack_chk_fail|__assert\w*"
    r"|__chk_fail|__fortify_fail|__cxa_(throw|rethrow|bad_\w+|throw_\w+|pure_virtual)"
    r"|_Unwind_Resume|_ZSt\d+__throw_\w+|_ZSt9terminatev|Py_FatalError|_Py_FatalErrorFunc"
)


class Tracer:
    """Follows the control flow of one file."""

    def __init__(self, elf: Elf, ranges: Iterable[CodeRange], *, thumb: bool) -> None:
        self.elf = elf
        self.may_be_thumb = thumb
        self.trace = Trace([make_space(code) for code in ranges])
        self._starts = [space.code.addr for space in self.trace.spaces]
        self.pending: list[tuple[int, bool]] = []
        self._computed: set[int] = set()
        self._got = elf.dyn(DT_PLTGOT)
        self._slots = self._plt_slots()
        self._no_return: dict[int, bool] = {}

    def run(self) -> Trace:
        """The whole file: sure entry points first, then guesses from better to worse."""
        for addr in self._sure_roots():
            self.push(addr & ~1, bool(addr & 1))
        self._follow()
        self._judge_thumb()
        for addr in self.elf.exidx_functions:
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
        for space in self.trace.spaces:
            self._search_gaps(space)
        return self.trace

    # entry points

    def _sure_roots(self) -> list[int]:
        roots = list(self.elf.start_functions)
        roots += [
            symbol.value
            for symbol in (*self.elf.dynamic_symbols, *self.elf.symbols)
            if symbol.type in (STT_FUNC, STT_GNU_IFUNC) and symbol.defined
        ]
        for addr, kind, _ in self.elf.relocations:
            if kind in (R_RELATIVE, R_ABS32):
                value = self.elf.word(addr)
                if value is not None and self._space(value) is not None:
                    roots.append(value)
        return sorted(set(roots))

    def _plt_slots(self) -> dict[int, str]:
        symbols = self.elf.dynamic_symbols
        return {
            addr: symbols[number].name
            for addr, kind, number in self.elf.relocations
            if kind == R_JUMP_SLOT and number < len(symbols)
        }

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
        space = self._space(addr)
        if space is None or addr & 3 or space.marks[(addr - space.code.addr) >> 1]:
            return False
        at = (addr - space.first_word) >> 2
        window = space.words[at : at + 4]
        return (
            len(window) == 4
            # NEON has a space of its own, where the condition's bits are 1111.
            and sum(word >> 28 >= _ALWAYS for word in window) >= 3
            and all(decode_arm(word) != a32.INVALID for word in window)
        )

    def _judge_thumb(self) -> None:
        """Guesses are in Thumb state only where a good part of the sure code is."""
        arm = sum(space.marks.count(ARM) for space in self.trace.spaces)
        thumb = sum(space.marks.count(THUMB) for space in self.trace.spaces)
        if arm + thumb:
            self.may_be_thumb = thumb * 10 >= arm + thumb

    def _search_gaps(self, space: Space) -> None:
        """Function starts in what is still unknown."""
        marks, at = space.marks, 0
        while (at := marks.find(UNKNOWN, at)) >= 0:
            known = _KNOWN.search(marks, at)
            end = known.start() if known else len(marks)
            start = self._start_in_gap(space, at, end)
            if start is None:
                at = end
                continue
            addr, thumb = start
            self.push(addr, thumb)
            self._follow()
            at = (addr - space.code.addr) >> 1
            if marks[at] == UNKNOWN:
                at += 1 if thumb else 2

    def _start_in_gap(self, space: Space, at: int, end: int) -> tuple[int, bool] | None:
        """The first thing in a gap that begins like a function, and its instruction set."""
        halves, base = space.halves, space.code.addr
        while at < end and halves[at] in (0, 0xBF00, 0x46C0):
            at += 1
        if at >= end:
            return None
        if self.may_be_thumb and halves[at] & 0xFF00 == _PUSH_LR_16:
            return base + 2 * at, True
        if end - at >= 8 and not self.may_be_thumb and self._plausible_arm(base + 2 * at):
            return base + 2 * at, False
        for here in range(at, end - 1):
            low, high = halves[here], halves[here + 1]
            if self.may_be_thumb and low == 0xE92D and high & 0xF000 == 0x4000:
                return base + 2 * here, True
            aligned = not (base + 2 * here) & 3
            if aligned and (high == 0xE92D and low & 0xF000 == 0x4000):
                return base + 2 * here, False
        return None

    # following

    def _space(self, addr: int) -> Space | None:
        number = bisect_right(self._starts, addr) - 1
        if number < 0:
            return None
        space = self.trace.spaces[number]
        return space if addr - space.code.addr < 2 * len(space.halves) else None

    def push(self, addr: int, thumb: bool) -> None:
        heapq.heappush(self.pending, (addr, thumb))

    def _follow(self) -> None:
        while self.pending:
            addr, thumb = heapq.heappop(self.pending)
            space = self._space(addr)
            if space is None or space.marks[(addr - space.code.addr) >> 1] != UNKNOWN:
                continue
            if thumb:
                ThumbRun(self, space).run(addr)
            elif not addr & 3:
                ArmRun(self, space).run(addr)

    def mark_data(self, addr: int, size: int) -> None:
        space = self._space(addr)
        if space is not None:
            at = (addr - space.code.addr) >> 1
            stop = min(at + (size + 1) // 2, len(space.marks))
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
        if target not in self._no_return:
            stub = self.elf.word(target)
            entry = target + 4 if stub == _THUMB_TO_ARM else target
            name = self._slots.get(self._plt_slot(entry), "")
            self._no_return[target] = bool(_NO_RETURN.fullmatch(name))
        return not self._no_return[target]

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
