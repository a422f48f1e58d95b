"""`python -m crosspi`: what Invoke cannot parse is a usage error of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["biuld"], "there is no task 'biuld'"),
        (["biuld"], "did you mean build?"),
        (["build", "--tarket", "pi3"], "the task build has no option '--tarket'"),
        (["build", "--tarket", "pi3"], "--target"),
    ],
)
def test_misspelt_words_are_explained(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crosspi", *arguments], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_tasks_are_listed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crosspi", "--list"], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "build" in done.stdout and "audit" in done.stdout


@pytest.mark.parametrize("arguments", [["--list"], ["list"], ["list", "--json"]])
def test_a_reader_that_goes_away_is_no_fault(arguments: list[str]) -> None:
    """`./inv --list | head -3`."""
    started = subprocess.Popen(
        [sys.executable, "-m", "crosspi", *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout and started.stderr
    started.stdout.close()
    assert started.wait() == 141
    assert started.stderr.read() == ""
    started.stderr.close()


def test_a_failure_that_nobody_reads_keeps_its_exit_code() -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "crosspi", "build", "--target", "pi9", "--python", "3.11"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout and started.stderr
    started.stdout.close()
    assert started.wait() == 2
    assert "there is no target 'pi9'" in started.stderr.read()
    started.stderr.close()
