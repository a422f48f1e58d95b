"""The matrix: verdicts, reasons, and the three ways to show them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from making import PEP517, quiet, write_recipe
from projects import PACK, Board, ask, project_at

from crosspi.errors import BuildError, DataError, SourceError
from crosspi.junit import junit
from crosspi.project import Project
from crosspi.reports.matrix import Matrix, SquareState, answer, cases, run, show


def matrix_of(project: Project, *recipes: str, pythons: str = "3.11") -> Matrix:
    return run(project, ask(project, *recipes, pythons=pythons))


def verdicts(matrix: Matrix) -> dict[str, SquareState]:
    return {f"{s.package} {s.python}": s.verdict for s in matrix.squares}


def shown(matrix: Matrix) -> str:
    stream = io.StringIO()
    show(quiet(stream), matrix)
    return stream.getvalue()


def test_what_was_built_is_from_the_store_the_next_time(checkout: Path) -> None:
    first = matrix_of(project_at(checkout), "pack", "other")
    assert verdicts(first) == {"pack 3.11": SquareState.BUILT, "other 3.11": SquareState.BUILT}
    assert first.squares[0].file == "pack-1.0-cp311-cp311-linux_toyl.whl"
    assert first.squares[0].version == "1.0"
    assert not first.errors
    again = matrix_of(project_at(checkout), "pack", "other")
    assert set(verdicts(again).values()) == {SquareState.STORED}
    assert again.squares[0].file == first.squares[0].file


def test_one_failure_hides_no_other(checkout: Path) -> None:
    # The interpreter that the engine pretends to have is 3.11, whatever is asked for.
    matrix = matrix_of(project_at(checkout), "pack", pythons="3.9,3.11")
    assert verdicts(matrix) == {"pack 3.9": SquareState.FAILED, "pack 3.11": SquareState.BUILT}
    assert matrix.squares[0].step == "python:cp39-toy"
    assert [type(error) for error in matrix.errors] == [DataError]
    assert "failed: python" in shown(matrix)
    assert "pack 3.9 toy: failed at python:cp39-toy: the interpreter for" in shown(matrix)


def test_without_keep_going_the_rest_is_not_tried(checkout: Path) -> None:
    project = project_at(checkout)
    matrix = run(project, ask(project, "pack", pythons="3.9,3.11"), keep_going=False)
    assert verdicts(matrix) == {"pack 3.9": SquareState.FAILED, "pack 3.11": SquareState.NOT_TRIED}


def test_what_cannot_be_served_says_why(checkout: Path) -> None:
    text = PACK.replace('pythons: ">=3.9"', 'pythons: ">=3.10"\nunsupported: {"<3.10": too old}')
    write_recipe(checkout / "recipes" / "pack", text)
    matrix = matrix_of(project_at(checkout), "pack", pythons="3.9,3.11")
    assert verdicts(matrix) == {"pack 3.9": SquareState.NOT_SERVED, "pack 3.11": SquareState.BUILT}
    assert "pack 3.9 toy: not served: too old" in shown(matrix)
    assert not matrix.errors


@pytest.fixture
def lost(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in which the source `extra` of `pack` cannot be reached."""
    project = project_at(checkout)
    fetch = project.sources.fetch

    def failing(name: str, *arguments: Any, **options: Any) -> Path:
        if name == "extra":
            raise SourceError("nobody answers")
        return fetch(name, *arguments, **options)

    monkeypatch.setattr(project.sources, "fetch", failing)
    return project


def test_a_source_that_nobody_has_is_no_failure_of_the_build(lost: Project) -> None:
    matrix = matrix_of(lost, "pack", "other")
    assert verdicts(matrix) == {
        "pack 3.11": SquareState.UNREACHABLE,
        "other 3.11": SquareState.BUILT,
    }
    assert matrix.squares[0].why == "nobody answers"
    assert [type(error) for error in matrix.errors] == [SourceError]


def test_what_really_failed_comes_first(lost: Project) -> None:
    board = Board()
    board.fails = "pip"
    vars(lost)["_engine"] = board
    matrix = matrix_of(lost, "pack", "other")
    assert [type(error) for error in matrix.errors] == [BuildError, SourceError]


def test_rows_are_pythons_and_columns_wheels(checkout: Path) -> None:
    matrix = matrix_of(project_at(checkout), "pack", "other", pythons="3.11,3.9")
    lines = [line.split() for line in shown(matrix).splitlines()]
    assert ["Python", "toy", "pack", "toy", "other"] in lines
    assert [line[0] for line in lines if line and line[0] in ("3.9", "3.11")] == ["3.11", "3.9"]


def test_the_same_for_programs(checkout: Path) -> None:
    (square,) = answer(matrix_of(project_at(checkout), "other")).plain()["squares"]
    assert square["package"] == "other"
    assert square["boards"] == ["toy1", "toy2"]
    assert square["verdict"] == "built"


def test_programs_are_told_every_state_and_all_errors(lost: Project) -> None:
    matrix = matrix_of(lost, "pack", pythons="3.9,3.11")
    told = answer(matrix).plain()
    assert {"unreachable"} <= {square["verdict"] for square in told["squares"]}
    assert [error["kind"] for error in told["errors"]] == ["DataError", "SourceError"]
    one = matrix.squares[0]
    for state in SquareState:
        assert answer(Matrix([replace(one, verdict=state)], [])).squares[0].verdict == state


def test_the_same_for_jenkins(lost: Project, checkout: Path) -> None:
    text = PEP517.replace('pythons: ">=3.9"', 'pythons: "<3"').replace("other", "third")
    write_recipe(checkout / "recipes" / "third", text)
    suite = ElementTree.fromstring(
        junit("matrix", cases(matrix_of(lost, "pack", "other", "third")))
    )
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    told = {case.get("classname"): [child.tag for child in case] for case in suite}
    assert told == {
        "matrix.toy.pack": ["failure"],
        "matrix.toy.other": [],
        "matrix.toy.third": ["skipped"],
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "unreachable: source:extra-11111111: nobody answers"
