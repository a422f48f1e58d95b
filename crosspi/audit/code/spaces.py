"""Executable bytes as instructions, with a mark for what each of them turned out to be."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from mmap import mmap
from typing import Literal

import numpy as np
import numpy.typing as npt

from crosspi.audit.code import kinds
from crosspi.audit.code.kinds import THUMB_NUMBERS
from crosspi.audit.elf.format import CodeRange
from crosspi.audit.spool import give_back, giving_back, room

UNKNOWN, ARM, THUMB, DATA = 0, 1, 2, 3
STATE, GUESSED, BEGIN = 3, 4, 8
KNOWN = re.compile(rb"[^\0]")


@dataclass
class Space:
    """One executable range as words and halfwords, with a mark for each halfword.

    A mark is what the halfword is, `GUESSED` where only its looks told that it is code, and
    `BEGIN` where Thumb code begins that what lies before it does not lead into.
    """

    code: CodeRange
    marks: mmap = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.code.data) // 2
        self.marks = room(self.size)

    @property
    def first_word(self) -> int:
        """The address of the first aligned word."""
        return self.code.addr + -self.code.addr % 4

    @cached_property
    def words(self) -> memoryview:
        return _native(self.code.data[-self.code.addr % 4 :], "I")

    @cached_property
    def halves(self) -> memoryview:
        return _native(self.code.data, "H")

    @cached_property
    def arm(self) -> mmap:
        """The number of each word's meaning in ARM state (`kinds`)."""
        words = np.frombuffer(self.words, np.uint32)
        found = room(len(words))
        numbers = np.frombuffer(found, np.uint8)
        for part in self._parts(len(words), found):
            numbers[part] = kinds.arm_numbers(words[part])
        return found

    @cached_property
    def thumb(self) -> mmap:
        """The number of each halfword's meaning in Thumb state (`kinds`)."""
        halves = np.frombuffer(self.halves, np.uint16)
        found, first = room(len(halves)), True
        numbers = np.frombuffer(found, np.uint8)
        for part in self._parts(len(halves), found):
            following = int(halves[part.stop]) if part.stop < len(halves) else None
            numbers[part], first = kinds.thumb_numbers(halves[part], following, first)
        return found

    def parts(self) -> Iterator[slice]:
        """All halfwords, some after the other; the memory of those before is given back."""
        return self._parts(self.size, self.marks)

    def _parts(self, size: int, *rooms: mmap) -> Iterator[slice]:
        return giving_back(kinds.chunks(size), self.code.data, *rooms)

    def give_back(self) -> None:
        """The memory of all that is known of the range: it is in files."""
        known = vars(self)
        give_back(self.code.data, self.marks, *(known[n] for n in ("arm", "thumb") if n in known))

    def thumb_number(self, at: int) -> int:
        """The number of the instruction at a halfword, wherever instructions are said to begin."""
        found, half = self.thumb[at], self.halves[at]
        if found or half < kinds.WIDE:
            return found or THUMB_NUMBERS.number(half)
        if at + 1 >= len(self.halves):
            return kinds.NOTHING
        return THUMB_NUMBERS.number(half << 16 | self.halves[at + 1])

    def thumb_size(self, at: int) -> int:
        return 2 if self.halves[at] >= kinds.WIDE else 1

    def count(self, state: int) -> int:
        """How many halfwords are of a state."""
        return sum(int(self.tally[state | more]) for more in (0, GUESSED, BEGIN, GUESSED | BEGIN))

    @property
    def tally(self) -> npt.NDArray[np.int64]:
        """How often there is each mark."""
        marks, found = np.frombuffer(self.marks, np.uint8, self.size), np.zeros(16, np.int64)
        for part in self.parts():
            found += np.bincount(marks[part], minlength=16)
        return found


def _native(data: bytes | memoryview, form: Literal["H", "I"]) -> memoryview:
    size = array(form).itemsize
    view = memoryview(data)[: len(data) // size * size]
    if sys.byteorder == "big":
        swapped = array(form, view.tobytes())
        swapped.byteswap()
        return memoryview(swapped)
    return view.cast(form)
