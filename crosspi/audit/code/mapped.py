"""Which bytes are code where the file says so: mapping symbols ($a ARM, $t Thumb, $d data).

AAELF32 §5.5.5. Only instructions that were written as numbers (`.word`, `.byte`) are marked as data
there: they are found where a function begins with them or the execution runs into them.

Symbols are taken by their addresses, not by the section that they name: tools that move sections
(patchelf) leave those numbers as they were. In a relocatable file every section begins at 0, and
there only the section tells them apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crosspi.audit.code import a32
from crosspi.audit.code.kinds import ARM_NUMBERS, THUMB_NUMBERS
from crosspi.audit.code.spaces import ARM, BEGIN, DATA, THUMB, UNKNOWN, Space
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import ET_REL
from crosspi.audit.elf.symbols import SymbolTable
from crosspi.audit.spool import chunks, giving_back

_LEAVES = a32.BRANCH | a32.INDIRECT | a32.TRAP
_ARM_NOPS = (0xE320F000, 0xE1A00000)
_THUMB_NOPS = (0xBF00, 0x46C0, 0x0000, 0xF3AF)
_KINDS = {"a": ARM, "t": THUMB, "d": DATA}
_SOME = 1 << 14


class Marks(NamedTuple):
    """Mapping symbols in order: where they are, of what kind, and the function that begins there.

    What a function is, is its instruction set; `UNKNOWN` where none begins.
    """

    addresses: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]
    functions: npt.NDArray[np.uint8]


class SymbolMap:
    """Mapping symbols and functions by address."""

    def __init__(self, elf: Elf) -> None:
        self._by_section = elf.header.kind == ET_REL
        tables = (elf.symbols, elf.dynamic_symbols)
        kinds = np.concatenate([_kinds(table) for table in tables])
        functions = np.concatenate([table.functions for table in tables]) & (kinds == UNKNOWN)
        values = np.concatenate([table.values for table in tables])
        places = values.astype(np.int64)
        if self._by_section:
            places += np.concatenate([table.sections for table in tables]).astype(np.int64) << 32
        mapping = kinds != UNKNOWN
        # One of each place and kind, in their order.
        both = np.unique(places[mapping] << 2 | kinds[mapping])
        self._places, self._kinds = both >> 2, (both & 3).astype(np.uint8)
        states = np.where(values[functions] & 1, THUMB, ARM).astype(np.uint8)
        starts = places[functions] & ~1
        order = np.argsort(starts, kind="stable")
        self._starts, self._states = starts[order], states[order]

    def marks_of(self, space: Space) -> Marks:
        """The mapping symbols within a range."""
        base = space.code.section << 32 if self._by_section else 0
        ends = (base + space.code.addr, base + space.code.end)
        first, last = np.searchsorted(self._places, ends)
        places = self._places[first:last]
        # Of several functions at one place the last counts.
        at = np.searchsorted(self._starts, places, side="right") - 1
        known = (at >= 0) & (np.append(self._starts, -1)[at] == places)
        functions = np.where(known, np.append(self._states, UNKNOWN)[at], UNKNOWN)
        return Marks(places - base, self._kinds[first:last], functions.astype(np.uint8))


def _kinds(table: SymbolTable) -> npt.NDArray[np.uint8]:
    """Of each symbol what it says of that place; `UNKNOWN` of one that is no mapping symbol."""
    found = np.zeros(len(table), np.uint8)
    first, second, third = (table.letters(place) for place in range(3))
    mapping = (first == ord("$")) & ((third == 0) | (third == ord(".")))
    for letter, kind in _KINDS.items():
        found[mapping & (second == ord(letter))] = kind
    return found


def mark_mapped(space: Space, marks: Marks) -> None:
    """Marks a range as its mapping symbols say; what lies before the first stays unknown."""
    code = space.code
    ends = np.append(marks.addresses[1:], code.end)
    entered, marked = UNKNOWN, np.frombuffer(space.marks, np.uint8, space.size)
    firsts = (marks.addresses - code.addr) >> 1
    lasts = np.minimum((ends - code.addr) >> 1, space.size)
    for part in giving_back(chunks(len(firsts), _SOME), code.data, space.marks):
        columns = (firsts, lasts, marks.kinds, marks.functions)
        for first, last, kind, function in zip(*(c[part].tolist() for c in columns), strict=True):
            marked[first:last] = kind
            if kind == DATA:
                _mark_numbers(space, first, last, function or entered)
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
