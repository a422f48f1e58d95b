"""What somebody asks for, and what can be built."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import (
    PEP517,
    write_recipe,
)
from projects import PACK, ask, project_at

from crosspi.errors import UsageError
from crosspi.graph import Graph


def test_boards_of_one_architecture_are_one_cell(checkout: Path) -> None:
    request = project_at(checkout).request(["toy1,toy2", "toy"], ["3.11", "cp311,3.9"], ["pack"])
    assert [cell.identifier for _, cell in request.wanted] == ["cp311-toy", "cp39-toy"]


@pytest.mark.parametrize(
    ("targets", "pythons", "what", "fix"),
    [
        ([], ["3.11"], "for which board?", "toy1, toy2"),
        (["toy1"], [], "for which Python?", "3.11, 3.9"),
        (["pi5"], ["3.11"], "not a target", ""),
        (["toy1"], ["4.0"], "no Python", "known: 3.11, 3.9"),
    ],
)
def test_a_request_must_be_understood(
    checkout: Path, targets: list[str], pythons: list[str], what: str, fix: str
) -> None:
    with pytest.raises(UsageError) as caught:
        project_at(checkout).request(targets, pythons, [])
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("targets", "pythons", "recipes", "wrong"),
    [
        ([], [], [], ["for which board?", "for which Python?"]),
        (["toy9"], [], [], ["no target 'toy9'", "for which Python?"]),
        (["toy1,pi5,x"], ["4.0"], ["pak,pack"], ["'pi5'", "'x'", "'pak'", "'4.0'"]),
        ([" , "], ["3.11"], ["pack==9"], ["--target names nothing", "pack 9"]),
    ],
)
def test_all_that_is_wrong_is_told_at_once(
    checkout: Path, targets: list[str], pythons: list[str], recipes: list[str], wrong: list[str]
) -> None:
    with pytest.raises(UsageError, match=f"{len(wrong)} mistakes") as caught:
        project_at(checkout).request(targets, pythons, recipes)
    lines = caught.value.where.splitlines()
    assert all(text in line for text, line in zip(wrong, lines, strict=True))
    assert all(line.startswith("--") for line in lines)


def test_a_recipe_that_cannot_serve_a_python_says_why(checkout: Path) -> None:
    text = PACK.replace('pythons: ">=3.9"', 'pythons: ">=3.10"\nunsupported: {"<3.10": too old}')
    write_recipe(checkout / "recipes" / "pack", text)
    project = project_at(checkout)
    with pytest.raises(UsageError, match="cannot be built") as caught:
        Graph(project).products(ask(project, "pack", pythons="3.9,3.11"))
    assert caught.value.where == "pack for cp39-toy: too old"


def test_a_recipe_without_a_reason_names_the_pythons_that_it_serves(checkout: Path) -> None:
    text = PACK.replace('pythons: ">=3.9"', 'pythons: ">=3.10"')
    write_recipe(checkout / "recipes" / "pack", text)
    project = project_at(checkout)
    ((package, cell),) = ask(project, "pack", pythons="3.9").wanted
    assert project.refusal(package, cell) == "it supports >=3.10"


def test_what_a_package_needs_must_serve_the_python_too(checkout: Path) -> None:
    text = PEP517.replace('pythons: ">=3.9"', 'pythons: ">=3.10"')
    write_recipe(checkout / "recipes" / "other", text)
    project = project_at(checkout)
    ((package, cell),) = ask(project, "pack", pythons="3.9").wanted
    assert project.refusal(package, cell) == "it needs other: it supports >=3.10"


def test_a_recipe_must_serve_the_version_that_another_asks_for(checkout: Path) -> None:
    write_recipe(checkout / "recipes" / "pack", PACK.replace("other>=1", "other>=3"))
    project = project_at(checkout)
    ((package, cell),) = ask(project, "pack").wanted
    refusal = project.refusal(package, cell)
    assert refusal == "it needs other>=3, and the recipe for this Python is 2.0"
