"""The host's part of a trial, with an engine that pretends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from making import host_path, tiny_wheel
from packaging.tags import parse_tag
from projects import Board, make_checkout, project_at

from crosspi.containers.engine import Line
from crosspi.containers.job import Job
from crosspi.data.targets import Python, Targets
from crosspi.errors import EmulatorError, UsageError
from crosspi.project import Project
from crosspi.trial import fits, try_wheel

PYTHONS = Targets.load(Path(__file__).parents[1] / "toolchains").pythons
ROW = {"file": "m.so", "how": "import", "code": -4, "text": ""}


class Playing(Board):
    """A board that does with trials what a test wants."""

    def __init__(self, answer: Callable[[Path], int]) -> None:
        super().__init__()
        self.answer = answer
        self.trials: list[Job] = []

    def work(self, job: Job, line: Line) -> int:
        if not any(m.target == "/crosspi/trial.py" for m in job.mounts):
            return super().work(job, line)
        self.trials.append(job)
        return self.answer(host_path(job, "/out"))


def answering(text: str, code: int = 0) -> Callable[[Path], int]:
    def answer(out: Path) -> int:
        (out / "trials.json").write_text(text)
        return code

    return answer


def project(root: Path, board: Board) -> Project:
    return project_at(make_checkout(root), board)


def test_a_wheel_is_tried_on_the_oldest_board(tmp_path: Path) -> None:
    board = Playing(answering(json.dumps([ROW])))
    made = project(tmp_path, board)
    toolchain = made.targets.toolchain("toy1")
    wheel = tiny_wheel(tmp_path / "wheel")
    (trial,) = try_wheel(made, wheel, toolchain)
    assert (trial.file, trial.trapped, trial.board) == ("m.so", True, toolchain.oldest.cpu)
    (job,) = board.trials
    assert job.environment["QEMU_CPU"] == toolchain.oldest.cpu
    assert f"/wheel/{wheel.name}" in job.argv
    assert [m.target for m in job.mounts if m.writable] == ["/out"]


@pytest.mark.parametrize(
    "answer", [answering("[]", code=1), lambda _: 0], ids=["it fails", "no answer"]
)
def test_a_container_without_an_answer_is_an_error(
    tmp_path: Path, answer: Callable[[Path], int]
) -> None:
    made = project(tmp_path, Playing(answer))
    with pytest.raises(EmulatorError, match="the trial of tiny"):
        try_wheel(made, tiny_wheel(tmp_path / "wheel"), made.targets.toolchain("toy1"))


def test_a_wheel_for_no_python_of_ours(tmp_path: Path) -> None:
    made = project(tmp_path, Playing(answering("[]")))
    wheel = tiny_wheel(tmp_path / "wheel", tag="cp26-cp26m-linux_toyl")
    with pytest.raises(UsageError, match="for no Python") as caught:
        try_wheel(made, wheel, made.targets.toolchain("toy1"))
    assert "cp26" in caught.value.why


@pytest.mark.parametrize(
    ("tag", "pythons"),
    [
        ("cp311-cp311-any", {"3.11"}),
        ("cp313-abi3-any", {"3.13", "3.14", "3.15"}),
        ("cp27-cp27mu-any", {"2.7"}),
        ("py2.py3-none-any", set(PYTHONS)),
        ("py313-none-any", {"3.13", "3.14", "3.15"}),
        ("pp310-pypy310_pp73-any", set()),
    ],
)
def test_which_pythons_take_a_wheel(tag: str, pythons: set[str]) -> None:
    def taken(python: Python) -> bool:
        return fits(python, parse_tag(tag))

    assert {name for name, python in PYTHONS.items() if taken(python)} == pythons
