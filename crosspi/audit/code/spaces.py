"""Executable bytes as instructions, with a mark for what each of them turned out to be."""

from __future__ import annotations

import re
import sys
from array import array
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from crosspi.audit.code import classes, kinds
from crosspi.audit.code.kinds import ARM_NUMBERS, THUMB_NUMBERS
from crosspi.audit.elf.format import CodeRange

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
    marks: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.marks = bytearray(len(self.code.data) // 2)

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
    def arm(self) -> bytes:
        """The number of each word's meaning in ARM state (`kinds`)."""
        return kinds.arm_numbers(np.frombuffer(self.words, np.uint32))

    @cached_property
    def thumb(self) -> bytes:
        """The number of each halfword's meaning in Thumb state (`kinds`)."""
        return kinds.thumb_numbers(np.frombuffer(self.halves, np.uint16))

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
        return self.marks.count(state) + sum(
            self.marks.count(state | more) for more in (GUESSED, BEGIN, GUESSED | BEGIN)
        )


def _native(data: bytes | memoryview, form: Literal["H", "I"]) -> memoryview:
    size = array(form).itemsize
    view = memoryview(data)[: len(data) // size * size]
    if sys.byteorder == "big":
        swapped = array(form, view.tobytes())
        swapped.byteswap()
        return memoryview(swapped)
    return view.cast(form)


class Found:
    """What the marks of a range say: its instructions by the numbers of their meanings."""

    def __init__(self, space: Space) -> None:
        self.code = space.code
        self.seen_bytes = 2 * (len(space.marks) - space.marks.count(UNKNOWN))
        self._marks = np.frombuffer(space.marks, np.uint8)
        self._shift = (space.first_word - self.code.addr) >> 1
        self._arm = _arm_numbers(space, self._marks[self._shift :: 2])
        self._thumb, thumbs = _thumb_numbers(space, self._marks)
        self.instructions = space.count(ARM) // 2 + thumbs

    def counts(self) -> dict[int, int]:
        """How often each set of classes occurs."""
        found: dict[int, int] = {}
        for numbers, table in ((self._arm, ARM_NUMBERS), (self._thumb, THUMB_NUMBERS)):
            for number, times in enumerate(np.bincount(numbers, minlength=256).tolist()):
                meaning = table.meanings[number]
                if times and meaning > 0 and meaning & classes.ALL:
                    key = meaning & classes.ALL
                    found[key] = found.get(key, 0) + times
        return found

    def hits(self, wanted: int) -> list[tuple[int, int, bool, bool]]:
        """(address, classes, in Thumb state, guessed to be code) of the wanted classes."""
        rows: list[tuple[int, int, bool, bool]] = []
        for numbers, table, thumb in (
            (self._arm, ARM_NUMBERS, False),
            (self._thumb, THUMB_NUMBERS, True),
        ):
            what = table.classes()
            for part in kinds.chunks(len(numbers)):
                some = what[numbers[part]]
                places = np.flatnonzero(some & wanted)
                halves = places + part.start if thumb else 2 * (places + part.start) + self._shift
                guessed = self._marks[halves] & GUESSED != 0
                addresses = (self.code.addr + 2 * halves).tolist()
                for row in zip(addresses, some[places].tolist(), guessed.tolist(), strict=True):
                    rows.append((row[0], row[1], thumb, row[2]))
        return sorted(rows)


def _arm_numbers(space: Space, marks: kinds.Bytes) -> kinds.Bytes:
    if not space.count(ARM):
        return np.zeros(0, np.uint8)
    found = np.frombuffer(space.arm, np.uint8).copy()
    found[marks[: len(found)] & STATE != ARM] = 0
    return found


def _thumb_numbers(space: Space, marks: kinds.Bytes) -> tuple[kinds.Bytes, int]:
    """The numbers where instructions begin, and how many there are."""
    if not space.count(THUMB):
        return np.zeros(0, np.uint8), 0
    found = np.frombuffer(space.thumb, np.uint8).copy()
    halves = np.frombuffer(space.halves, np.uint16)
    first, before, count = True, False, 0
    for part in kinds.chunks(len(found)):
        mine = marks[part] & STATE == THUMB
        begins = marks[part] & BEGIN != 0
        begins[0] |= mine[0] and not before
        begins[1:] |= mine[1:] & ~mine[:-1]
        starts, first = kinds.thumb_starts(halves[part], begins, first)
        starts &= mine
        before = bool(mine[-1])
        numbers = found[part]
        numbers[~starts] = 0
        for at in np.flatnonzero(starts & (numbers == 0)).tolist():
            numbers[at] = space.thumb_number(part.start + at)
        count += int(np.count_nonzero(starts))
    return found, count
