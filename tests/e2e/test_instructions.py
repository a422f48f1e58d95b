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
    once, twice = (counter.count([*PYTHON, LOOP.format(1000)], name="loop") for _ in range(2))
    assert once == twice
    assert once > 1_000_000, "an interpreter's start alone is more"


def test_what_a_program_does_more_is_what_is_counted_more(counter: Counter) -> None:
    """Each turn of a loop takes as many instructions as another one."""
    first, second, third = (
        counter.count([*PYTHON, LOOP.format(turns)], name="loop") for turns in (1000, 2000, 3000)
    )
    assert second - first > 1000 * 10
    assert abs((third - second) - (second - first)) < 1000


def test_a_program_that_fails_is_not_counted(counter: Counter) -> None:
    with pytest.raises(EmulatorError, match="ended with 3: nothing was counted"):
        counter.count([*PYTHON, "raise SystemExit(3)"], name="failing")
