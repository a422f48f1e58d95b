"""Errors: one message each, its own exit code."""

from __future__ import annotations

import errno

import pytest

from crosspi import errors
from crosspi.errors import (
    CrosspiError,
    DiskFullError,
    chain,
    did_you_mean,
    from_os_error,
    tells_disk_full,
)


def kinds() -> list[type[CrosspiError]]:
    return [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, CrosspiError)
    ]


def test_every_kind_has_its_own_exit_code() -> None:
    codes = [kind.exit_code for kind in kinds()]
    assert len(set(codes)) == len(codes)
    assert all(0 < code < 256 for code in codes)


def test_every_kind_has_its_own_title() -> None:
    titles = [kind.title for kind in kinds()]
    assert len(set(titles)) == len(titles)


def test_a_message_says_what_where_why_and_what_to_do() -> None:
    error = CrosspiError("it broke", where="a:1\nb:2", why="rust", fix="paint it")
    assert str(error).splitlines() == [
        "error: it broke",
        "  where: a:1",
        "         b:2",
        "  why:   rust",
        "  fix:   paint it",
    ]


def test_a_message_has_no_empty_lines_for_what_is_not_known() -> None:
    assert str(CrosspiError("it broke")) == "error: it broke"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_has_its_own_error(number: int) -> None:
    found = from_os_error(OSError(number, "full", "/some/file"), doing="build:x")
    assert isinstance(found, DiskFullError)
    assert found.exit_code == 13
    assert "build:x" in found.what
    assert found.where == "/some/file"
    assert "invoke clean" in found.fix


def test_other_system_errors_are_left_alone() -> None:
    assert from_os_error(OSError(errno.EIO, "io"), doing="x") is None


def test_near_names_are_suggested() -> None:
    assert did_you_mean("pi33", ["pi3", "pi2", "other"]).startswith("did you mean pi3")


def test_without_near_names_all_are_listed() -> None:
    assert did_you_mean("zzz", ["pi3", "pi2"]) == "known: pi2, pi3"


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("cc1: fatal error: No space left on device", True),
        ("write: disk quota exceeded", True),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", True),
        ("fatal error: no such file", False),
    ],
)
def test_programs_tell_of_a_full_disk(text: str, full: bool) -> None:
    assert tells_disk_full(text) is full


def test_all_that_an_exception_wraps_is_found_once() -> None:
    root, reason, argument = OSError(errno.EACCES, "denied"), ValueError("why"), KeyError("what")
    outer = RuntimeError("outer", argument)
    outer.reason = reason  # type: ignore[attr-defined]
    outer.__cause__ = root
    root.__context__ = outer  # a circle
    assert chain(outer) == [outer, reason, argument, root]
