"""What the words and halfwords of a file mean as instructions: one byte each, all at once.

A meaning (classes and flow, see `a32`) gets a small number. Numbers from `STOP` on lead away, load
constants, or are no instruction at all; whoever follows the execution only looks at those. Of a
word just the bits that its decoder reads are kept first, so that a file of millions of
instructions has some thousand different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from crosspi.audit import spool
from crosspi.audit.code import a32, t32
from crosspi.audit.code.classes import ALL

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint32]
Halves = npt.NDArray[np.uint16]
Bools = npt.NDArray[np.bool_]

STOP, NOTHING = 0x80, 0xFF
WIDE = 0xE800  # from here on a halfword is the first of two (DDI 0406C A6.1)
_CHUNK = 1 << 18
_REMEMBERED = 1 << 18


class Numbers:
    """The numbers of one instruction set's meanings; 0 is the plain one without classes."""

    def __init__(self, decode: Callable[[int], int]) -> None:
        self._decode = decode
        self._memo: dict[int, int] = {}
        self._numbers = {0: 0, a32.INVALID: NOTHING}
        self.meanings = [0] * 256
        self.meanings[NOTHING] = a32.INVALID
        self._next, self._next_stop = 1, STOP

    def number(self, word: int) -> int:
        """The number of an instruction's meaning."""
        found = self._memo.get(word)
        if found is None:
            if len(self._memo) >= _REMEMBERED:
                self._memo.clear()
            found = self._memo[word] = self._of(self._decode(word))
        return found

    def meaning(self, word: int) -> int:
        return self.meanings[self.number(word)]

    def classes(self) -> npt.NDArray[np.int32]:
        """The classes of each number."""
        return np.array([found & ALL if found > 0 else 0 for found in self.meanings], np.int32)

    def _of(self, meaning: int) -> int:
        number = self._numbers.get(meaning)
        if number is None:
            if meaning & ~ALL:
                number, self._next_stop = self._next_stop, self._next_stop + 1
            else:
                number, self._next = self._next, self._next + 1
            self._numbers[meaning] = number
            self.meanings[number] = meaning
        return number

    def number_all(self, words: Words) -> Bytes:
        """The numbers of many instructions."""
        different, places = np.unique(words, return_inverse=True)
        return np.array([self.number(word) for word in different.tolist()], np.uint8)[places]


ARM_NUMBERS, THUMB_NUMBERS = Numbers(a32.decode), Numbers(t32.decode_any)
_ARM_READS = np.array(a32.READS, np.uint32)
_THUMB_READS = np.array(t32.READS, np.uint32)
_THUMB_16 = np.array([THUMB_NUMBERS.number(half) for half in range(WIDE)] + [0] * (0x10000 - WIDE))
_THUMB_16 = _THUMB_16.astype(np.uint8)


def arm_numbers(words: Words) -> Bytes:
    """The number of each word."""
    words = words.astype(np.uint32, copy=False)
    which = (words >> 20 & 0xFF) | (words >= 0xF0000000).astype(np.uint32) << 8
    return ARM_NUMBERS.number_all(words & _ARM_READS[which])


def thumb_numbers(halves: Halves, following: int | None, first: bool) -> tuple[Bytes, bool]:
    """The number of the instruction at each halfword, 0 where one is the second of two.

    A halfword that is not `WIDE` ends an instruction, so what follows it begins one; between
    wide ones the count decides. Only code that begins among such halfwords can see it otherwise.

    Args:
        halves: some halfwords, at least one.
        following: the one behind them, or None.
        first: whether the first of them begins an instruction.

    Returns:
        The numbers, and whether the following halfword begins an instruction.
    """
    starts, goes_on = thumb_starts(halves, None, first)
    found = _THUMB_16[halves]
    found[~starts] = 0
    wide = np.flatnonzero(starts & (halves >= WIDE))
    seconds = np.append(halves[1:], np.uint16(following or 0))[wide]
    words = halves[wide].astype(np.uint32) << 16 | seconds
    found[wide] = THUMB_NUMBERS.number_all(words & _THUMB_READS[words >> 20])
    if following is None and not goes_on:
        found[-1] = NOTHING
    return found, goes_on


def thumb_starts(halves: Halves, begins: Bools | None, first: bool) -> tuple[Bools, bool]:
    """Where instructions begin, in code that begins at some halfwords and goes on from there.

    Args:
        halves: some halfwords, at least one.
        begins: where code surely begins.
        first: whether the first of them begins an instruction.

    Returns:
        What was asked, and whether the halfword after the last begins an instruction.
    """
    wide = halves >= WIDE
    sure = np.empty(len(wide), bool)
    sure[0], sure[1:] = first, ~wide[:-1]
    if begins is not None:
        sure |= begins
    places = np.arange(len(wide), dtype=np.int32)
    last = np.maximum.accumulate(np.where(sure, places, np.int32(-1)))
    starts = (places - last) & 1 == 0
    return starts, not (starts[-1] and wide[-1])


def chunks(size: int) -> Iterator[slice]:
    return spool.chunks(size, _CHUNK)
