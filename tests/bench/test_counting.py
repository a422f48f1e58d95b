"""Counting with an engine that pretends: what runs on the board, and what may go wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from making import host_path
from projects import Board, make_checkout, project_at

from crosspi.bench.counting import PART, Counter, Counts, counter_for
from crosspi.containers.engine import Line
from crosspi.containers.job import Job
from crosspi.errors import BuildError, DataError, EmulatorError
from crosspi.project import Project

SYSTEM = Path(__file__).parents[2] / "systems" / PART
Answer = Callable[[Path, Line], int]


class Counting(Board):
    """A board on which counting ends as a test wants."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer
        self.counted: list[Job] = []

    def work(self, job: Job, line: Line) -> int:
        if job.argv[0] != "/counter/loader":
            return super().work(job, line)
        self.counted.append(job)
        return self.answer(host_path(job, "/out"), line)


def writing(text: str, code: int = 0) -> Answer:
    def answer(out: Path, line: Line) -> int:
        if text:
            (out / "count").write_text(text)
        line("what the program said")
        return code

    return answer


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A made-up project that has the part that counts."""
    root = make_checkout(tmp_path / "checkout")
    shutil.copytree(SYSTEM, root / "systems" / PART)
    shutil.copytree(root / "dockerfiles" / "toolchain", root / "dockerfiles" / "counter")
    return root


def counter(project: Project) -> Counter:
    toolchain = project.targets.toolchain("toy1")
    return counter_for(project, project.targets.system(toolchain), toolchain.oldest)


def test_a_program_is_counted_under_the_boards_processor(checkout: Path) -> None:
    board = Counting(writing("0 5\nend 1234\n"))
    made = counter(project_at(checkout, board))
    assert made.count(["/bin/true"], name="true", mounts={checkout: "/models"}) == Counts(
        1234, ((0, 5),)
    )
    (job,) = board.counted
    assert job.argv[-1] == "/bin/true"
    assert job.environment["QEMU_CPU"] == made.board.qemu_cpu
    assert {m.target for m in job.mounts} == {"/counter", "/proc/cpuinfo", "/out", "/models"}
    assert [m.target for m in job.mounts if m.writable] == ["/out"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (writing("end 12\n", code=3), "true on .* ended with 3: nothing was counted"),
        (writing(""), "without a count"),
        (writing("end 12 and more\n"), "without a count"),
        (writing("0 5\n"), "without a count"),
        (writing("x 5\nend 12\n"), "without a count"),
    ],
    ids=["the program fails", "no count", "no number", "no end", "no mark"],
)
def test_what_was_not_counted_is_an_error(checkout: Path, answer: Answer, message: str) -> None:
    made = counter(project_at(checkout, Counting(answer)))
    with pytest.raises(EmulatorError, match=message):
        made.count(["/bin/true"], name="true")


def test_the_message_has_what_the_program_said(checkout: Path) -> None:
    made = counter(project_at(checkout, Counting(writing("", code=1))))
    with pytest.raises(EmulatorError) as caught:
        made.count(["/bin/true"], name="true")
    assert caught.value.why == "what the program said"


def test_a_program_that_does_not_end(checkout: Path) -> None:
    def hang(_out: Path, _line: Line) -> int:
        raise TimeoutError

    made = counter(project_at(checkout, Counting(hang)))
    with pytest.raises(EmulatorError, match="ran over 30 minutes"):
        made.count(["/bin/true"], name="true")


def test_a_link_is_no_count(checkout: Path) -> None:
    def link(out: Path, _line: Line) -> int:
        (out / "elsewhere").write_text("end 12")
        (out / "count").symlink_to("elsewhere")
        return 0

    made = counter(project_at(checkout, Counting(link)))
    with pytest.raises(EmulatorError, match="without a count"):
        made.count(["/bin/true"], name="true")


def test_a_qemu_without_plugins_is_told_when_the_counter_is_made(checkout: Path) -> None:
    board = Counting(writing("end 1\n"))
    board.fails = "build.sh"
    with pytest.raises(BuildError):
        counter(project_at(checkout, board))


def test_a_project_that_cannot_count(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no part 'counter'"):
        counter(project_at(make_checkout(tmp_path / "checkout"), Counting(writing("end 1\n"))))
