"""The matrix as a farm runs it: what comes first, what fans out, and what may be tried again.

`./inv matrix --dry-run --json` says it, and the pipeline of `ci/` makes its branches of that:
boards, Pythons and recipes are listed nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

from crosspi.console import Console
from crosspi.data.targets import Cell
from crosspi.errors import DiskFullError, EmulatorError, EngineError, HostError, SourceError
from crosspi.graph import Graph, ProductSteps
from crosspi.project import Project, Request
from crosspi.reports.answers import BranchAnswer, FarmAnswer, NotServed
from crosspi.work.plan import pending

#: What may be otherwise at the next try, or on another machine. No test and no compile error is.
INFRASTRUCTURE = (SourceError, EngineError, HostError, EmulatorError, DiskFullError)


def planned(project: Project, request: Request) -> FarmAnswer:
    """What a matrix would do, as branches; nothing is run.

    Args:
        project: it looks only.
        request: what is asked for, with what cannot be served.
    """
    refusals = [(package, cell, project.refusal(package, cell)) for package, cell in request.wanted]
    served = Request([(package, cell) for package, cell, why in refusals if not why])
    products = Graph(project).products(served)
    return FarmAnswer(
        first=_branches(project, [p for p in products if not isinstance(p.cell, Cell)]),
        branches=_branches(project, [p for p in products if isinstance(p.cell, Cell)]),
        retry=sorted(error.exit_code for error in INFRASTRUCTURE),
        not_served=[
            NotServed(
                package=package.name,
                python=cell.python.version if isinstance(cell, Cell) else "",
                architecture=cell.toolchain.name,
                why=why,
            )
            for package, cell, why in refusals
            if why
        ],
    )


def show(console: Console, plan: FarmAnswer) -> None:
    """The same, for people."""
    console.table(
        "first, then at once",
        ("branch", "steps to run", "command"),
        [
            (branch.name, str(branch.todo), " ".join(["./inv", *branch.arguments]))
            for branch in (*plan.first, *plan.branches)
        ],
    )
    for refused in plan.not_served:
        where = f"{refused.package} {refused.python} {refused.architecture}"
        console.line(f"{where}: {refused.why}")


def _branches(project: Project, products: Sequence[ProductSteps]) -> list[BranchAnswer]:
    """One for each cell, or for each architecture where there is no Python."""
    by_place: dict[str, list[ProductSteps]] = {}
    for product in products:
        by_place.setdefault(product.cell.identifier, []).append(product)
    return [_branch(project, own) for own in by_place.values()]


def _branch(project: Project, products: Sequence[ProductSteps]) -> BranchAnswer:
    cell = products[0].cell
    python = cell.python.version if isinstance(cell, Cell) else ""
    # Where there is no Python that would choose one, there may be several versions.
    recipes = sorted(
        p.recipe.name if python else f"{p.recipe.name}=={p.recipe.data.version}" for p in products
    )
    goals = [step for product in products for step in product.goals]
    return BranchAnswer(
        name="-".join(filter(None, (cell.toolchain.name, python))),
        architecture=cell.toolchain.name,
        python=python,
        recipes=recipes,
        arguments=[
            *(("matrix", "--python", python) if python else ("build", "--keep-going")),
            *("--target", cell.toolchain.name, "--recipe", ",".join(recipes)),
        ],
        todo=len(pending(goals, project.store)),
    )
