"""Counting in truth: a tiny program under the board's processor, by qemu's plugin."""

from __future__ import annotations

import io

import pytest
from workshop import CHECKOUT

from crosspi.bench.counting import Counter, counter_for
from crosspi.console import Console
from crosspi.errors import EmulatorError
from crosspi.paths import Paths
from crosspi.project import Project

pytestmark = pytest.mark.e2e

PYTHON = ["/opt/crosspi/python/python", "-S", "-c"]
LOOP = "for i in range({}): pass"


@pytest.fixture(scope="module")
def counter() -> Counter:
    project = Project(Paths.from_environment(CHECKOUT), Console(stream=io.StringIO()))
    toolchain = project.targets.toolchain("pi3")
    return counter_for(project, project.targets.system(toolchain), toolchain.oldest)


def test_the_same_program_has_the_same_number(counter: Counter) -> None:
    once, twice = (counter.count([*PYTHON, LOOP.format(1000)], name="loop").total for _ in range(2))
    assert once == twice
    assert once > 1_000_000, "an interpreter's start alone is more"


def test_what_a_program_does_more_is_what_is_counted_more(counter: Counter) -> None:
    """Each turn of a loop takes as many instructions as another one."""
    first, second, third = (
        counter.count([*PYTHON, LOOP.format(turns)], name="loop").total
        for turns in (1000, 2000, 3000)
    )
    assert second - first > 1000 * 10
    assert abs((third - second) - (second - first)) < 1000


def test_a_mark_tells_the_count_up_to_it(counter: Counter) -> None:
    """The same each time, in the order of the program; a child's marks are its own."""
    marks = """
import os
def mark(number):
    try: os.getpgid(0x43500000 + number)
    except OSError: pass
if os.fork() == 0:
    mark(9)
    os._exit(0)
os.wait()
mark(0); mark(1)
for i in range(1000): pass
mark(2)
"""
    counts = counter.count([*PYTHON, marks], name="marks")
    assert [number for number, _ in counts.marks] == [0, 1, 2]
    first, second, third = (count for _, count in counts.marks)
    assert first < second < third < counts.total
    assert third - second > 10_000
    assert second - first < third - second


def test_a_program_that_fails_is_not_counted(counter: Counter) -> None:
    with pytest.raises(EmulatorError, match="ended with 3: nothing was counted"):
        counter.count([*PYTHON, "raise SystemExit(3)"], name="failing")
