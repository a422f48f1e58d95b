"""What words mean, all at once: the same as one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from crosspi.audit.code import a32, kinds, t32
from crosspi.audit.code.classes import ALL

DICE = random.Random(7)
WORDS = [DICE.getrandbits(32) for _ in range(4000)]
WORDS += [word & 0x0FFFFFFF | 0xE0000000 for word in WORDS] + [word | 0xF0000000 for word in WORDS]


def test_arm_words_mean_what_they_mean_one_by_one() -> None:
    numbers = kinds.arm_numbers(np.array(WORDS, np.uint32)).tolist()
    assert [kinds.ARM_NUMBERS.meanings[n] for n in numbers] == [a32.decode(w) for w in WORDS]


def test_thumb_code_means_what_it_means_one_by_one() -> None:
    halves = [half for word in WORDS for half in (word >> 16, word & 0xFFFF)] + [0xF000]
    numbers, goes_on = kinds.thumb_numbers(np.array(halves, np.uint16), None, True)
    assert not goes_on
    at = 0
    while at < len(halves):
        meaning = kinds.THUMB_NUMBERS.meanings[numbers[at]]
        if halves[at] < kinds.WIDE:
            assert meaning == t32.decode_16(halves[at])
            at += 1
        elif at + 1 < len(halves):
            assert meaning == t32.decode_32(halves[at] << 16 | halves[at + 1])
            assert numbers[at + 1] == 0
            at += 2
        else:
            assert meaning == a32.INVALID
            at += 1


@pytest.mark.parametrize("word", WORDS[:4000:8])
def test_bits_that_are_not_read_change_nothing(word: int) -> None:
    """As tables say which bits their functions look at, a wrong entry shows here."""
    for noise in (0x0FFFFFFF, 0xA5A5A5A5, 0x5A5A5A5A):
        read = a32.READS[a32.bucket(word)]
        other = word & (read | 0xF0000000) | noise & ~(read | 0xF0000000)
        assert a32.decode(other) == a32.decode(word)
        wide = word | 0xE8000000
        read = t32.READS[wide >> 20]
        assert t32.decode_32(wide & read | noise & ~read) == t32.decode_32(wide)


def test_code_that_begins_within_another_instruction() -> None:
    halves = np.array([0xF000, 0xF800, 0xF000, 0x4770, 0x4770], np.uint16)
    starts, first = kinds.thumb_starts(halves, None, True)
    assert starts.tolist() == [True, False, True, False, True]
    assert first
    begins = np.array([False, True, False, False, False])
    starts, _ = kinds.thumb_starts(halves, begins, True)
    assert starts.tolist() == [True, True, False, True, True]


def test_there_are_numbers_left() -> None:
    """A number is a byte: those of plain meanings and those of stops have room to grow."""
    for table in (kinds.ARM_NUMBERS, kinds.THUMB_NUMBERS):
        plain = {found & ALL for found in table.meanings if found > 0 and not found & ~ALL}
        stops = {found for found in table.meanings if found > 0 and found & ~ALL}
        assert len(plain) < 100
        assert len(stops) < 100
