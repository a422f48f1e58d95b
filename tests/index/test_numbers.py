"""Build numbers in the names of wheels and archives."""

from __future__ import annotations

import pytest

from crosspi.index.numbers import is_archive, number, without_number


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a-1.0-cp311-cp311-linux_armv7l.whl", 0),
        ("a-1.0-3-cp311-cp311-linux_armv7l.whl", 3),
        ("a-1.0-linux_armv7l.tar.gz", 0),
        ("a-1.0-12-linux_armv7l.tar.gz", 12),
        ("a-1.0-x-linux_armv7l.tar.gz", 0),
        ("a.tar.gz", 0),
    ],
)
def test_a_name_tells_its_number(name: str, found: int) -> None:
    assert number(name) == found


def test_files_are_the_same_but_for_the_number() -> None:
    for plain, numbered, other in (
        ("a-1-py3-none-any.whl", "a-1-2-py3-none-any.whl", "a-1-py3-none-linux.whl"),
        ("a-1-linux_x.tar.gz", "a-1-2-linux_x.tar.gz", "a-1-linux_y.tar.gz"),
    ):
        assert without_number(plain) == without_number(numbered)
        assert without_number(plain) != without_number(other)


def test_an_archive_is_no_wheel() -> None:
    assert is_archive("a-1-linux_x.tar.gz")
    assert not is_archive("a-1-py3-none-any.whl")
