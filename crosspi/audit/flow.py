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
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from crosspi.audit import a32, t32
from crosspi.audit.classes import ALL
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

UNKNOWN, ARM, THUMB, DATA = 0, 1, 2, 3
_ARM_WORD = bytes((ARM, ARM))
_TABLE_LIMIT = 4096
_PUSH_LR_16 = 0xB500
_THUMB_TO_ARM = 0x46C04778  # bx pc; nop: the head of a PLT entry called from Thumb state
_KNOWN = re.compile(rb"[^\0]")
_ALWAYS = 0xE

_NO_RETURN = re.compile(
    r"abort|_*exit|quick_exit|pthread_exit|(__sig|_)*longjmp(_chk)?|__stack_chk_fail|__assert\w*"
    r"|__chk_fail|__fortify_fail|__cxa_(throw|rethrow|bad_\w+|throw_\w+|pure_virtual)"
    r"|_Unwind_Resume|_ZSt\d+__throw_\w+|_ZSt9terminatev|Py_FatalError|_Py_FatalErrorFunc"
)


@dataclass(slots=True)
class Space:
    """One executable range as words and halfwords, with a mark for each halfword."""

    code: CodeRange
    first_word: int
    words: array[int]
    halves: array[int]
    marks: bytearray


@dataclass(slots=True)
class Trace:
    """What was found to be code."""

    spaces: list[Space] = field(default_factory=list)
    hits: dict[int, int] = field(default_factory=dict)

    def kept_hits(self) -> Iterable[tuple[int, int, bool]]:
        """(address, classes, in Thumb state) of classed instructions that are still code."""
        starts = [space.code.addr for space in self.spaces]
        for addr, classes in sorted(self.hits.items()):
            space = self.spaces[bisect_right(starts, addr) - 1]
            mark = space.marks[(addr - space.code.addr) >> 1]
            if mark in (ARM, THUMB):
                yield addr, classes, mark == THUMB


def make_space(code: CodeRange) -> Space:
    """A range ready for decoding."""
    skip = -code.addr % 4
    words, halves = array("I"), array("H")
    whole = code.data[skip:]
    words.frombytes(whole[: len(whole) // 4 * 4])
    halves.frombytes(code.data[: len(code.data) // 2 * 2])
    if sys.byteorder == "big":
        words.byteswap()
        halves.byteswap()
    return Space(code, code.addr + skip, words, halves, bytearray(len(halves)))


_arm_memo: dict[int, int] = {}
_thumb_memo: dict[int, int] = {}


def decode_arm(word: int) -> int:
    """`a32.decode`, remembered: a file repeats most of its instructions."""
    found = _arm_memo.get(word)
    if found is None:
        if len(_arm_memo) > 2_000_000:
            _arm_memo.clear()
        found = _arm_memo[word] = a32.decode(word)
    return found


def decode_thumb(half: int, following: int) -> tuple[int, int]:
    """Classes and flow of the Thumb instruction at some halfwords, and its size in them."""
    if half < 0xE800:
        return t32.decode_16(half), 1
    word = half << 16 | following
    found = _thumb_memo.get(word)
    if found is None:
        if len(_thumb_memo) > 2_000_000:
            _thumb_memo.clear()
        found = _thumb_memo[word] = t32.decode_32(word)
    return found, 2


_THUMB_16 = [t32.decode_16(half) for half in range(0xE800)]


class Tracer:
    """Follows the control flow of one file."""

    def __init__(self, elf: Elf, ranges: Iterable[CodeRange], *, thumb: bool) -> None:
        self.elf = elf
        self.may_be_thumb = thumb
        self.trace = Trace([make_space(code) for code in ranges])
        self._starts = [space.code.addr for space in self.trace.spaces]
        self._pending: list[tuple[int, bool]] = []
        self._computed: set[int] = set()
        self._got = elf.dyn(DT_PLTGOT)
        self._slots = self._plt_slots()
        self._no_return: dict[int, bool] = {}

    def run(self) -> Trace:
        """The whole file: sure entry points first, then guesses from better to worse."""
        for addr in self._sure_roots():
            self._push(addr & ~1, bool(addr & 1))
        self._follow()
        self._judge_thumb()
        for addr in self.elf.exidx_functions:
            self._push_guess(addr)
        self._follow()
        while self._computed:
            computed, self._computed = sorted(self._computed), set()
            for addr in computed:
                if addr & 1:
                    self._push(addr & ~1, self.may_be_thumb)
                elif self._plausible_arm(addr):
                    self._push(addr, False)
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
        self._push(addr, self.may_be_thumb and not self._looks_arm(space, addr))

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
            and sum(word >> 28 == _ALWAYS for word in window) >= 3
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
            self._push(addr, thumb)
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

    def _push(self, addr: int, thumb: bool) -> None:
        heapq.heappush(self._pending, (addr, thumb))

    def _follow(self) -> None:
        while self._pending:
            addr, thumb = heapq.heappop(self._pending)
            space = self._space(addr)
            if space is None or space.marks[(addr - space.code.addr) >> 1] != UNKNOWN:
                continue
            if thumb:
                _ThumbRun(self, space).run(addr)
            elif not addr & 3:
                _ArmRun(self, space).run(addr)

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


class _Run:
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
                self.tracer._push(target, thumb)

    def read_literal(self, addr: int, size: int) -> int | None:
        self.tracer.mark_data(addr, size)
        return self.tracer.elf.word(addr) if size == 4 else None

    def yields_to(self, following: int) -> bool:
        """After a call: earlier code may tell that what follows is its data, so it goes first."""
        pending = self.tracer._pending
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


class _ArmRun(_Run):
    """A stretch in ARM state."""

    def run(self, start: int) -> None:
        space = self.space
        words, marks = space.words, space.marks
        shift = (space.first_word - space.code.addr) >> 1
        at, count = (start - space.first_word) >> 2, len(words)
        memo, broken = _arm_memo, False
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


class _ThumbRun(_Run):
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
                found, size = _THUMB_16[half], 1
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
                marks[at:marks_end] = b"\2\2"
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
