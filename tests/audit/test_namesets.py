"""Sets of names: what was put in is in, through text too."""

from __future__ import annotations

import pytest

from crosspi.audit.namesets import NameSet

NAMES = [f"_ZN{number}name" for number in range(1000)]


def test_what_was_put_in_is_in() -> None:
    names = NameSet.of([*NAMES, *NAMES])
    assert len(names) == len(NAMES)
    assert all(name in names for name in NAMES)
    assert not any(name + "x" in names for name in NAMES)
    assert 7 not in names
    assert "name" not in NameSet.of([])


def test_it_is_the_same_after_it_was_text() -> None:
    names = NameSet.of(NAMES)
    again = NameSet.from_text(names.to_text())
    assert again == names
    assert hash(again) == hash(names)
    assert again != NameSet.of(NAMES[1:])


@pytest.mark.parametrize("text", ["%", NameSet.of(NAMES).to_text()[:-4]])
def test_a_damaged_text_is_told(text: str) -> None:
    with pytest.raises(ValueError):
        NameSet.from_text(text)
