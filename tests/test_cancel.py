"""An end that is asked for from outside."""

from __future__ import annotations

import pytest

from crosspi.cancel import Cancel
from crosspi.errors import Interrupted


def test_nothing_is_woken_unless_somebody_asks() -> None:
    woken: list[str] = []
    cancel = Cancel()
    with cancel.waking(lambda: woken.append("a")):
        pass
    cancel.set()  # nobody waits any more
    assert woken == []


def test_all_that_wait_are_woken_and_end() -> None:
    woken: list[str] = []
    cancel = Cancel()
    with (
        pytest.raises(Interrupted),
        cancel.waking(lambda: woken.append("a")),
        cancel.waking(lambda: woken.append("b")),
    ):
        cancel.set()
    assert woken == ["a", "b"]
    with pytest.raises(Interrupted, match="stopped"):
        cancel.check()


def test_who_comes_late_is_woken_at_once() -> None:
    woken: list[str] = []
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Interrupted), cancel.waking(lambda: woken.append("a")):
        assert woken == ["a"]


def test_an_error_of_what_waited_is_told_first() -> None:
    cancel = Cancel()
    with pytest.raises(ValueError, match="own"), cancel.waking(lambda: None):
        cancel.set()
        raise ValueError("own")
