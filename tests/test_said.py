"""What is kept of a failed tool's output."""

from __future__ import annotations

import pytest

from crosspi.said import TAIL, Said


def after(text: str, others: int = 100) -> list[str]:
    """What is shown where a line is followed by many."""
    said = Said()
    said.line(text)
    for number in range(others):
        said.line(f"going on {number}")
    return said.text.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "E: Unable to correct problems",
        "FAILED: CMakeFiles/x.o",
        "x.c:3:1: error: expected ';'",
        "x.c:3:1: fatal error: no.h: No such file",
        "error: linking failed",
        "CMake Error at CMakeLists.txt:1",
        "make[2]: *** [Makefile:1: all] Error 2",
        "ImportError: no module",
        "tar: x: Cannot open",
        "ld.lld: error: undefined symbol: f",
    ],
)
def test_a_line_that_names_the_fault_is_kept(text: str) -> None:
    lines = after(text)
    assert lines[:2] == [text, "…"]
    assert len(lines) == TAIL + 2
    assert lines[-1] == "going on 99"


@pytest.mark.parametrize("text", ["compiling error.c", "0 errors", "-Werror", "I: success"])
def test_a_line_that_names_none_goes(text: str) -> None:
    assert after(text) == [f"going on {number}" for number in range(100 - TAIL, 100)]


def test_a_short_output_is_shown_whole_and_no_line_twice() -> None:
    assert after("E: broken", others=2) == ["E: broken", "going on 0", "going on 1"]


def test_of_many_faults_the_last_are_kept() -> None:
    said = Said()
    for number in range(50):
        said.line(f"x.c:{number}: error: bad")
    assert said.text.splitlines()[0] == f"x.c:{50 - TAIL - 5}: error: bad"


def test_signs_of_life_push_nothing_out() -> None:
    said = Said()
    said.line("E: broken")
    for number in range(100):
        said.line(f"… {number} s of processor time so far")
    assert said.text == "E: broken"
