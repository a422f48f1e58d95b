"""Thumb instructions, of 16 and of 32 bits."""

from __future__ import annotations

import pytest

from crosspi.audit.code import a32, classes, t32


@pytest.mark.parametrize("half", [0x4770, 0xB510, 0x2001, 0xBA08, 0x4668])
def test_old_thumb_is_not_thumb2(half: int) -> None:
    assert t32.decode_16(half) & classes.ALL == classes.THUMB


@pytest.mark.parametrize("half", [0xB100, 0xBF00, 0xBF08])
def test_new_short_instructions_are_thumb2(half: int) -> None:
    assert t32.decode_16(half) & classes.THUMB2


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        (0xF2410034, "v7"),
        (0xFB90F0F1, "div"),
        (0xEF220844, "neon"),
        (0xF920070F, "neon"),
        (0xEEB70A00, "vfp3"),
        (0xFFB00302, "crypto"),
        (0xE8D10FAF, "v8"),
        (0xF3BF8F5B, "v7"),
    ],
)
def test_wide_instruction_has_its_class(word: int, kind: str) -> None:
    found = t32.decode_32(word)
    assert found & classes.BITS[kind]
    assert found & classes.THUMB2


def test_call_is_old_thumb() -> None:
    assert t32.decode_32(0xF000F800) == classes.THUMB | a32.BRANCH


def test_branch_targets() -> None:
    assert t32.branch_target(0xF000F800, 0x1000) == 0x1004
    assert t32.branch_target(0xF7FFFFFE, 0x1000) == 0x1000
    assert t32.branch_target(0xF000E800, 0x1002) == 0x1004
