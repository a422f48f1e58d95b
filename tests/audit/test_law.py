"""The law and the promises as data."""

from __future__ import annotations

import pytest
from arm_files import V6, V7
from pydantic import ValidationError

from crosspi.audit import Dispatched, Law, Promises


def test_platforms() -> None:
    assert V7.accepts_platform("linux_armv7l")
    assert V7.accepts_platform("manylinux_2_17_armv7l")
    assert not V7.accepts_platform("linux_armv6l")
    assert not V6.accepts_platform("manylinux_2_17_armv7l")


def test_all_errors_at_once() -> None:
    data = {**V6.model_dump(), "instructions": ["mmx"], "glibc": "new", "colour": "red"}
    with pytest.raises(ValidationError) as caught:
        Law.model_validate(data)
    assert {error["loc"][0] for error in caught.value.errors()} == {
        "instructions",
        "glibc",
        "colour",
    }


def test_dispatched_needs_a_reason() -> None:
    with pytest.raises(ValidationError):
        Dispatched.model_validate({"classes": ["v8"]})


def test_dispatched_needs_a_regular_expression() -> None:
    with pytest.raises(ValidationError):
        Dispatched.model_validate({"why": "x", "symbols": ["("]})


def test_promises_by_file() -> None:
    promises = Promises.model_validate({"dispatched": [{"why": "x", "files": "a/*.so"}]})
    assert promises.for_file("a/b.so")
    assert not promises.for_file("b.so")
