"""What comes of the marks of the board's program, and of its refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from crosspi.bench.contenders import Contender
from crosspi.bench.counting import Counter, Counts, ProgramError
from crosspi.bench.measuring import Row, measure
from crosspi.errors import BenchError, EmulatorError

WHEEL = Contender("official", "t-1.whl", "0" * 64, Path("/t"))
NUMPY = Contender("numpy", "numpy-1.whl", "0" * 64, Path("/n"))
MODEL = Path("/models/net.tflite")
#: A mark takes 5; start 1000, load 200, first 70, then 50, 50, 53.
MARKS = ((0, 10), (1, 1015), (100, 1200), (101, 1205), (2, 1230), (3, 1305))
MORE = ((4, 1360), (5, 1415), (6, 1473))


class Playing:
    """A counter that answers as a test wants."""

    def __init__(self, answer: Counts | ProgramError) -> None:
        self.answer = answer
        self.argv: Sequence[str] = ()
        self.mounts: Mapping[Path, str] = {}
        self.environment: Mapping[str, str] = {}

    def count(
        self,
        argv: Sequence[str],
        *,
        name: str,  # noqa: ARG002
        mounts: Mapping[Path, str],
        environment: Mapping[str, str],
    ) -> Counts:
        self.argv, self.mounts, self.environment = argv, mounts, environment
        if isinstance(self.answer, ProgramError):
            raise self.answer
        return self.answer


def measured(playing: Playing, *shapes: str) -> Row:
    return measure(cast("Counter", playing), WHEEL, MODEL, numpy=NUMPY, shapes=shapes)


def failing(*said: str, code: int | None = 4) -> Playing:
    return Playing(ProgramError("net", code, said, Path("log")))


def test_the_marks_own_instructions_are_taken_off() -> None:
    row = measured(Playing(Counts(2000, MARKS + MORE)))
    assert (row.start, row.load, row.first, row.one) == (1000, 200, 70, 51)


def test_the_wheel_comes_before_numpy() -> None:
    playing = Playing(Counts(2000, MARKS + MORE))
    measured(playing, "a=1,2")
    assert playing.environment["PYTHONPATH"] == "/wheels/0:/wheels/1"
    assert playing.mounts[WHEEL.folder] == "/wheels/0"
    assert playing.argv[-3:] == ["/models/net.tflite", "4", "a=1,2"]


@pytest.mark.parametrize("marks", [(), MARKS, MORE], ids=["none", "too few", "the last"])
def test_other_marks_than_asked_for(marks: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(EmulatorError, match="other marks"):
        measured(Playing(Counts(2000, marks)))


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("the input 'a' has no fixed shape", "--shape INPUT=1,2,3"),
        ("the input 'a' is of object: no input can be made up", "a model that takes numbers"),
        ("Encountered unresolved custom op: Mine.", "own ops only"),
        ("The model is not a valid Flatbuffer buffer", "cut off"),
        ("Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'.", "a newer one"),
        ("tflite_runtime cannot be imported: numpy.core.multiarray failed to import", "--numpy"),
        ("something else", "another model or wheel"),
    ],
)
def test_a_refusal_is_one_message(text: str, fix: str) -> None:
    with pytest.raises(BenchError, match="official cannot measure net") as caught:
        measured(failing("INFO: a line", f"refused: {text}"))
    assert caught.value.why == text
    assert fix in caught.value.fix


def test_a_crash_is_told_as_one() -> None:
    """As a model that is cut off ends: the runtime looks where the file is no more."""
    signal = "qemu: uncaught target signal 11 (Segmentation fault) - core dumped"
    with pytest.raises(BenchError, match="official crashed on net") as caught:
        measured(failing("INFO: a line", signal, code=139))
    assert caught.value.why == signal


@pytest.mark.parametrize(
    "playing",
    [failing("refused: x", code=139), failing("no word"), failing("refused: x", code=None)],
    ids=["it crashed", "no refusal", "it did not end"],
)
def test_what_is_no_refusal_stays_what_it_is(playing: Playing) -> None:
    with pytest.raises(ProgramError):
        measured(playing)
