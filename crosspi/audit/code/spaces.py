"""Executable bytes as instructions, with a mark for what each of them turned out to be."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from crosspi.audit.code import a32, t32
from crosspi.audit.elf import CodeRange

UNKNOWN, ARM, THUMB, DATA = 0, 1, 2, 3


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


arm_memo: dict[int, int] = {}
_thumb_memo: dict[int, int] = {}


def decode_arm(word: int) -> int:
    """`a32.decode`, remembered: a file repeats most of its instructions."""
    found = arm_memo.get(word)
    if found is None:
        if len(arm_memo) > 2_000_000:
            arm_memo.clear()
        found = arm_memo[word] = a32.decode(word)
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


THUMB_16 = [t32.decode_16(half) for half in range(0xE800)]
