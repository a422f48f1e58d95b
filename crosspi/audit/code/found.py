"""What the marks of a range say: its instructions, counted, and those of some classes in order.

A file has millions of them. None is an object of its own: they are columns of numbers, some
hundred thousand at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crosspi.audit.code import classes, kinds
from crosspi.audit.code.kinds import ARM_NUMBERS, THUMB_NUMBERS, Bools, Bytes, Words
from crosspi.audit.code.spaces import ARM, BEGIN, GUESSED, STATE, THUMB, UNKNOWN, Space


@dataclass(frozen=True, slots=True)
class Hit:
    """One instruction of a class of interest.

    Attributes:
        addr: where it is loaded.
        classes: the bits of its classes.
        thumb: whether it is in Thumb state.
        section: the number of its section, in a relocatable file; else 0.
        guessed: nothing is known to lead there, it only looks like code.
    """

    addr: int
    classes: int
    thumb: bool
    section: int
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Hits:
    """Some instructions of one section, as columns in the order of their addresses.

    Attributes:
        section: the number of their section, in a relocatable file; else 0.
        words: what they are, in ARM state; else 0.
    """

    section: int
    addresses: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int32]
    thumb: Bools
    guessed: Bools
    words: Words

    @classmethod
    def of(cls, hit: Hit) -> Hits:
        """One instruction as columns; its word is not known."""
        return cls(
            hit.section,
            np.array([hit.addr], np.int64),
            np.array([hit.classes], np.int32),
            np.array([hit.thumb]),
            np.array([hit.guessed]),
            np.zeros(1, np.uint32),
        )

    def __len__(self) -> int:
        return len(self.addresses)

    def __getitem__(self, at: int) -> Hit:
        return Hit(
            int(self.addresses[at]),
            int(self.classes[at]),
            bool(self.thumb[at]),
            self.section,
            bool(self.guessed[at]),
        )

    def where(self, chosen: Bools | npt.NDArray[np.int64]) -> Hits:
        """Those of a mask or of some places."""
        return Hits(
            self.section,
            self.addresses[chosen],
            self.classes[chosen],
            self.thumb[chosen],
            self.guessed[chosen],
            self.words[chosen],
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """Some halfwords, and what is known of where the instructions in them begin."""

    here: slice
    first: bool
    before: bool
    classes: int


class Found:
    """The instructions of one range.

    Args:
        space: the range, marked.
        section: the number of its section, in a relocatable file; else 0.
    """

    def __init__(self, space: Space, section: int = 0) -> None:
        self.space = space
        self.section = section
        self.instructions = 0
        self.seen_bytes = 0
        #: How often each set of classes occurs.
        self.counts: dict[int, int] = {}
        self._marks = np.frombuffer(space.marks, np.uint8, space.size)
        self._shift = (space.first_word - space.code.addr) >> 1
        self._parts = list(self._count())

    def _count(self) -> Iterator[_Part]:
        tally = self.space.tally
        self.seen_bytes = 2 * (self.space.size - int(tally[UNKNOWN]))
        self.instructions = self.space.count(ARM) // 2
        first, before = True, False
        for here in self.space.parts():
            mine = self._marks[here] & STATE
            arm, (thumb, starts, goes_on) = self._arm(here), self._thumb(here, first, before)
            self.instructions += int(np.count_nonzero(starts))
            union = 0
            for numbers, table in ((arm, ARM_NUMBERS), (thumb, THUMB_NUMBERS)):
                for number, times in enumerate(np.bincount(numbers, minlength=256).tolist()):
                    meaning = table.meanings[number]
                    if times and meaning > 0 and meaning & classes.ALL:
                        key = meaning & classes.ALL
                        self.counts[key] = self.counts.get(key, 0) + times
                        union |= key
            yield _Part(here, first, before, union)
            first, before = goes_on, bool(mine[-1] == THUMB)

    def hits(self, wanted: int) -> Iterator[Hits]:
        """The instructions of the wanted classes."""
        for part in self._parts:
            if not part.classes & wanted:
                continue
            arm = ARM_NUMBERS.classes()[self._arm(part.here)]
            thumb = THUMB_NUMBERS.classes()[self._thumb(part.here, part.first, part.before)[0]]
            words, halves = np.flatnonzero(arm & wanted), np.flatnonzero(thumb & wanted)
            first = self._first_word(part.here)
            places = np.concatenate([2 * (words + first) + self._shift, halves + part.here.start])
            raw = np.frombuffer(self.space.words, np.uint32)[words + first]
            found = Hits(
                self.section,
                self.space.code.addr + 2 * places,
                np.concatenate([arm[words], thumb[halves]]),
                np.arange(len(places)) >= len(words),
                self._marks[places] & GUESSED != 0,
                np.concatenate([raw, np.zeros(len(halves), np.uint32)]),
            )
            yield found.where(np.argsort(places)) if len(words) and len(halves) else found
            self.space.give_back()

    def _first_word(self, here: slice) -> int:
        """The first word that begins at or behind the first of some halfwords."""
        return max(int(here.start) - self._shift + 1, 0) >> 1

    def _arm(self, here: slice) -> Bytes:
        """The number of each word that begins there and is code in ARM state; else 0."""
        first = self._first_word(here)
        last = min((here.stop - self._shift + 1) >> 1, len(self.space.words))
        marks = self._marks[2 * first + self._shift : 2 * last + self._shift : 2] & STATE == ARM
        if not marks.any():
            return np.zeros(0, np.uint8)
        return np.where(marks, np.frombuffer(self.space.arm, np.uint8)[first:last], np.uint8(0))

    def _thumb(self, here: slice, first: bool, before: bool) -> tuple[Bytes, Bools, bool]:
        """The numbers where instructions begin, where that is, and whether one begins behind."""
        marks = self._marks[here]
        mine = marks & STATE == THUMB
        if not mine.any():
            return np.zeros(0, np.uint8), mine, True
        halves = np.frombuffer(self.space.halves, np.uint16)[here]
        begins = marks & BEGIN != 0
        begins[0] |= mine[0] and not before
        begins[1:] |= mine[1:] & ~mine[:-1]
        starts, goes_on = kinds.thumb_starts(halves, begins, first)
        starts &= mine
        numbers = np.where(starts, np.frombuffer(self.space.thumb, np.uint8)[here], np.uint8(0))
        for at in np.flatnonzero(starts & (numbers == 0)).tolist():
            numbers[at] = self.space.thumb_number(here.start + at)
        return numbers, starts, goes_on
