"""The matrix as branches for many machines."""

from __future__ import annotations

import io
from pathlib import Path

from making import CMAKE, PEP517, quiet, write_recipe
from projects import project_at

from crosspi.errors import BuildError, SmokeError, UsageError
from crosspi.graph import Graph
from crosspi.project import Project
from crosspi.reports.answers import FarmAnswer
from crosspi.reports.farm import INFRASTRUCTURE, planned, show
from crosspi.run import build
from crosspi.work.plan import pending

BOTH = CMAKE.replace("pythons:", "makes: [wheel, archive]\npythons:") + (
    "prefix:\n  files: [{from: '{compiled}/libengine.a', to: lib/}]\n"
    "  licences: [{of: main, from: '{source:main}/LICENSE'}]\n"
)


def plan_of(project: Project, *recipes: str) -> FarmAnswer:
    project.only_looks = True
    return planned(project, project.request(["toy1"], ["3.9", "3.11"], recipes))


def test_archives_come_first_and_pythons_fan_out(checkout: Path) -> None:
    write_recipe(checkout / "recipes" / "pack", BOTH)
    plan = plan_of(project_at(checkout), "pack")
    (first,) = plan.first
    assert first.name == "toy"
    assert first.arguments == ["build", "--keep-going", "--target", "toy", "--recipe", "pack==1.0"]
    assert [branch.name for branch in plan.branches] == ["toy-3.9", "toy-3.11"]
    assert plan.branches[1].arguments == [
        *("matrix", "--python", "3.11", "--target", "toy", "--recipe", "other,pack"),
    ]


def test_each_command_is_understood_and_makes_its_part_of_the_whole(checkout: Path) -> None:
    """What the branches' commands ask for together is what the matrix asks for."""
    write_recipe(checkout / "recipes" / "pack", BOTH)
    project = project_at(checkout)
    plan, made = plan_of(project, "pack"), set()
    for branch in (*plan.first, *plan.branches):
        recipes = branch.arguments[-1].split(",")
        pythons = [branch.python] if branch.python else []
        request = project.request([branch.architecture], pythons, recipes)
        made |= {step.name for p in Graph(project).products(request) for step in p.goals}
    whole = project.request(["toy1"], ["3.9", "3.11"], ["pack"])
    assert {step.name for p in Graph(project).products(whole) for step in p.goals} <= made


def test_what_is_done_needs_no_step(checkout: Path) -> None:
    project = project_at(checkout)
    before = plan_of(project, "other").branches
    project.only_looks = False
    build(project, project.request(["toy1"], ["3.11"], ["other"]))
    after = plan_of(project_at(checkout), "other").branches
    assert [branch.todo > 0 for branch in before] == [True, True]
    assert [branch.todo > 0 for branch in after] == [True, False]


def test_the_number_is_that_of_a_plan(checkout: Path) -> None:
    project = project_at(checkout)
    (branch,) = planned(project, project.request(["toy1"], ["3.11"], ["other"])).branches
    request = project.request(["toy1"], ["3.11"], ["other"])
    goals = [step for p in Graph(project).products(request) for step in p.goals]
    assert branch.todo == len(pending(goals, project.store))


def test_what_is_not_served_is_no_branch_and_says_why(checkout: Path) -> None:
    text = PEP517.replace('pythons: ">=3.9"', 'pythons: ">=3.11"').replace("other", "third")
    write_recipe(checkout / "recipes" / "third", text)
    plan = plan_of(project_at(checkout), "third")
    assert [branch.name for branch in plan.branches] == ["toy-3.11"]
    (refused,) = plan.not_served
    assert (refused.package, refused.python, refused.architecture) == ("third", "3.9", "toy")
    assert ">=3.11" in refused.why
    shown = io.StringIO()
    show(quiet(shown), plan)
    assert "./inv matrix --python 3.11 --target toy --recipe third" in shown.getvalue()
    assert "third 3.9 toy: it supports >=3.11" in shown.getvalue()


def test_no_fault_of_the_user_or_of_the_code_is_tried_again(checkout: Path) -> None:
    plan = plan_of(project_at(checkout), "other")
    assert plan.retry == sorted(error.exit_code for error in INFRASTRUCTURE)
    for error in (BuildError, SmokeError, UsageError):
        assert error.exit_code not in plan.retry
