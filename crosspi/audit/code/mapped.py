"""Which bytes are code where the file says so: mapping symbols ($a ARM, $t Thumb, $d data).

AAELF32 §5.5.5. Only instructions that were written as numbers (`.word`, `.byte`) are marked as data
there: they are found where a function begins with them or the execution runs into them.

Symbols are taken by their addresses, not by the section that they name: tools that move sections
(patchelf) leave those numbers as they were. In a relocatable file every section begins at 0, and
there only the section tells them apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np

from crosspi.audit.code import a32
from crosspi.audit.code.kinds import ARM_NUMBERS, THUMB_NUMBERS
from crosspi.audit.code.spaces import ARM, BEGIN, DATA, THUMB, UNKNOWN, Space
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import ET_REL, STT_FUNC, STT_GNU_IFUNC

_LEAVES = a32.BRANCH | a32.INDIRECT | a32.TRAP
_ARM_NOPS = (0xE320F000, 0xE1A00000)
_THUMB_NOPS = (0xBF00, 0x46C0, 0x0000, 0xF3AF)
_KINDS = {"$a": ARM, "$t": THUMB, "$d": DATA}

Marks = Sequence[tuple[int, int]]


class SymbolMap:
    """Mapping symbols and functions by address."""

    def __init__(self, elf: Elf) -> None:
        self._by_section = elf.header.kind == ET_REL
        marks: dict[int, set[tuple[int, int]]] = {}
        entries: dict[int, dict[int, int]] = {}
        for symbol in (*elf.symbols, *elf.dynamic_symbols):
            place = symbol.section if self._by_section else 0
            kind = _KINDS.get(symbol.name[:2])
            if kind is not None and (len(symbol.name) == 2 or symbol.name[2] == "."):
                marks.setdefault(place, set()).add((symbol.value, kind))
            elif symbol.type in (STT_FUNC, STT_GNU_IFUNC) and symbol.defined:
                state = THUMB if symbol.value & 1 else ARM
                entries.setdefault(place, {})[symbol.value & ~1] = state
        self._marks = {place: sorted(found) for place, found in marks.items()}
        self._entries = entries

    def marks_of(self, space: Space) -> Marks:
        """The mapping symbols within a range, in order."""
        code = space.code
        marks = self._marks.get(code.section if self._by_section else 0, [])
        first, last = bisect_left(marks, (code.addr, 0)), bisect_left(marks, (code.end, 0))
        return marks[first:last]

    def entries_of(self, space: Space) -> Mapping[int, int]:
        """The instruction set of each function, by its address."""
        return self._entries.get(space.code.section if self._by_section else 0, {})


def mark_mapped(space: Space, marks: Marks, entries: Mapping[int, int]) -> None:
    """Marks a range as its mapping symbols say; what lies before the first stays unknown."""
    code = space.code
    ends = [addr for addr, _ in marks[1:]] + [code.end]
    entered, marked = UNKNOWN, np.frombuffer(space.marks, np.uint8, space.size)
    for (start, kind), end in zip(marks, ends, strict=True):
        first, last = (start - code.addr) >> 1, min((end - code.addr) >> 1, space.size)
        marked[first:last] = kind
        if kind == DATA:
            _mark_numbers(space, first, last, entries.get(start, entered))
            entered = UNKNOWN
        elif first < last:
            if kind == THUMB:
                space.marks[first] |= BEGIN
            goes_on = _goes_on_arm if kind == ARM else _goes_on_thumb
            entered = kind if goes_on(space, first, last) else UNKNOWN


def _goes_on_arm(space: Space, first: int, last: int) -> bool:
    """True if the execution runs into what follows some ARM code.

    What counts is the last one that is no padding: data is aligned behind the end of a function.
    """
    shift = (space.first_word - space.code.addr) >> 1
    at = min((last - shift) >> 1, len(space.words)) - 1
    while at >= (first - shift + 1) >> 1 and at >= 0:
        if space.words[at] not in _ARM_NOPS:
            return not ARM_NUMBERS.meanings[space.arm[at]] & _LEAVES
        at -= 1
    return False


def _goes_on_thumb(space: Space, first: int, last: int) -> bool:
    """As `_goes_on_arm`, by the last instruction that begins before the end."""
    at = last - 1
    while at >= first:
        if at > first and not space.thumb[at]:
            at -= 1
        if space.halves[at] not in _THUMB_NOPS:
            return not THUMB_NUMBERS.meanings[space.thumb_number(at)] & _LEAVES
        at -= 1
    return False


def _mark_numbers(space: Space, first: int, last: int, kind: int) -> None:
    """Data that is executed: instructions written as numbers, up to one that leads away."""
    if kind == UNKNOWN:
        return
    at = first
    while at < last:
        meaning, size = _meaning(space, at, kind)
        if meaning == a32.INVALID:
            return
        at += size
        if meaning & _LEAVES:
            break
    at = min(at, last)
    space.marks[first:at] = bytes((kind,)) * (at - first)
    if kind == THUMB and first < at:
        space.marks[first] |= BEGIN


def _meaning(space: Space, at: int, kind: int) -> tuple[int, int]:
    """What the instruction at a halfword means, and its size in halfwords."""
    if kind == THUMB:
        return THUMB_NUMBERS.meanings[space.thumb_number(at)], space.thumb_size(at)
    odd, word = divmod(at - ((space.first_word - space.code.addr) >> 1), 2)[::-1]
    if odd or not 0 <= word < len(space.words):
        return a32.INVALID, 2
    return ARM_NUMBERS.meanings[space.arm[word]], 2
