"""The matrix: what became of every package on every Python and architecture of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Literal

from crosspi.console import Console, duration
from crosspi.data.recipe import Package
from crosspi.data.targets import Cell, Slot
from crosspi.errors import CrosspiError
from crosspi.graph import ProductSteps
from crosspi.junit import Case
from crosspi.project import Project, Request
from crosspi.reports.answers import ErrorAnswer, MatrixAnswer, SquareAnswer
from crosspi.run import Result, build
from crosspi.work.plan import SOURCE, Outcome, State, closure
from crosspi.work.store import Store


class SquareState(StrEnum):
    """What became of one wheel."""

    BUILT = "built"
    STORED = "from the store"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    NOT_TRIED = "not tried"
    NOT_SERVED = "not served"


#: What JUnit calls a square's state, where it did not end well.
_JUNIT: Mapping[SquareState, Literal["failure", "skipped"]] = {
    SquareState.FAILED: "failure",
    SquareState.UNREACHABLE: "failure",
    SquareState.NOT_TRIED: "skipped",
    SquareState.NOT_SERVED: "skipped",
}


@dataclass(frozen=True)
class Square:
    """One product of the matrix.

    Attributes:
        package, version: what; the version is empty where none serves this Python.
        python, architecture, boards: for what; a library or archive has no Python.
        verdict: how it ended.
        step: the step that stopped it.
        why: what stopped it.
        cpu: seconds that its own steps cost when they last ran: building, packing, both proofs.
        file: its name, where it is published.
    """

    package: str
    version: str
    python: str
    architecture: str
    boards: Sequence[str]
    verdict: SquareState
    step: str = ""
    why: str = ""
    cpu: float = 0.0
    file: str = ""

    @property
    def text(self) -> str:
        """The square's text in the table."""
        if self.verdict in (SquareState.BUILT, SquareState.STORED):
            return f"{self.verdict}, {duration(self.cpu)}"
        if self.verdict is SquareState.FAILED:
            return f"failed: {self.step.split(':')[0]}"
        return str(self.verdict)


@dataclass(frozen=True)
class Matrix:
    """All squares of a run, and the errors behind them."""

    squares: Sequence[Square]
    errors: Sequence[CrosspiError]


def run(
    project: Project,
    request: Request,
    *,
    force: bool = False,
    keep_going: bool = True,
    level: str = "default",
) -> Matrix:
    """Build what can be built, and say what became of everything."""
    refusals = {_place(p, c): project.refusal(p, c) for p, c in request.wanted}
    wanted = Request([(p, c) for p, c in request.wanted if not refusals[_place(p, c)]])
    result = build(project, wanted, force=force, keep_going=keep_going, level=level)
    steps = {_made(w): w for w in result.products}
    outcomes = {outcome.step.name: outcome for outcome in result.outcomes}
    squares = [
        _refused(package, cell, why)
        if (why := refusals[_place(package, cell)])
        else _square(steps[_place(package, cell)], outcomes, project.store)
        for package, cell in request.wanted
    ]
    return Matrix(squares, _errors(result))


def _place(package: Package, cell: Slot) -> tuple[str, str]:
    """What stands for one product; of archives a request may have several versions."""
    return package.name if isinstance(cell, Cell) else package.general.label, cell.identifier


def _made(steps: ProductSteps) -> tuple[str, str]:
    """The same for what was made."""
    recipe = steps.recipe
    return recipe.name if isinstance(steps.cell, Cell) else recipe.label, steps.cell.identifier


def _errors(result: Result) -> list[CrosspiError]:
    """The errors of a run; a source that cannot be reached comes after what really failed."""
    sources = [o.error for o in result.outcomes if o.error is not None and o.step.kind == SOURCE]
    return [*(e for e in result.errors if e not in sources), *sources]


def _python(cell: Slot) -> str:
    """The Python of a square; empty where it has none."""
    return cell.python.version if isinstance(cell, Cell) else ""


def _refused(package: Package, cell: Slot, why: str) -> Square:
    return Square(
        package=package.name,
        version="",
        python=_python(cell),
        architecture=cell.toolchain.name,
        boards=sorted(cell.toolchain.data.boards),
        verdict=SquareState.NOT_SERVED,
        why=why,
    )


def _square(steps: ProductSteps, outcomes: Mapping[str, Outcome], store: Store) -> Square:
    own = [steps.built, *steps.goals]
    entries = [store.find(step.kind, step.subject, step.key) for step in own]
    verdict, step, why = _verdict(steps, outcomes)
    proven = verdict in (SquareState.BUILT, SquareState.STORED)
    return Square(
        package=steps.recipe.name,
        version=steps.recipe.data.version,
        python=_python(steps.cell),
        architecture=steps.cell.toolchain.name,
        boards=sorted(steps.cell.toolchain.data.boards),
        verdict=verdict,
        step=step,
        why=why,
        cpu=round(sum(entry.cost.cpu for entry in entries if entry is not None), 1),
        file=str(entries[1].notes.get("file", "")) if proven and entries[1] is not None else "",
    )


def _verdict(steps: ProductSteps, outcomes: Mapping[str, Outcome]) -> tuple[SquareState, str, str]:
    if all(outcomes[step.name].entry is not None for step in steps.smokes):
        ran = any(outcomes[step.name].state is State.BUILT for step in steps.goals)
        return SquareState.BUILT if ran else SquareState.STORED, "", ""
    for step in closure(steps.smokes):
        outcome = outcomes.get(step.name)
        if outcome is not None and outcome.error is not None:
            verdict = SquareState.UNREACHABLE if step.kind == SOURCE else SquareState.FAILED
            return verdict, step.name, outcome.error.what
    return SquareState.NOT_TRIED, "", "another failure ended the run"


def show(console: Console, matrix: Matrix) -> None:
    """The table: a row for each Python, a column for each architecture and package; the reasons."""
    columns = list(dict.fromkeys((s.architecture, s.package) for s in matrix.squares))
    rows: dict[str, dict[tuple[str, str], str]] = {}
    for square in matrix.squares:
        row = rows.setdefault(square.python or "none", {})
        others = row.get((square.architecture, square.package))
        text = f"{others}; {square.version} {square.text}" if others else square.text
        row[square.architecture, square.package] = text
    console.table(
        "matrix (CPU time of the wheel's own steps)",
        ("Python", *(" ".join(column) for column in columns)),
        [(python, *(row.get(c, "") for c in columns)) for python, row in rows.items()],
    )
    reasons: dict[str, list[str]] = {}
    for square in matrix.squares:
        if square.why:
            where = f"{square.package} {square.python} {square.architecture}"
            at = f" at {square.step}" if square.step else ""
            reasons.setdefault(f"{square.verdict}{at}: {square.why}", []).append(where)
    for reason, places in reasons.items():
        console.line(f"{', '.join(places)}: {reason}")


def answer(matrix: Matrix) -> MatrixAnswer:
    """The same, for programs."""
    return MatrixAnswer(
        squares=[SquareAnswer.model_validate(asdict(square)) for square in matrix.squares],
        errors=[ErrorAnswer.of(error) for error in matrix.errors],
    )


def cases(matrix: Matrix) -> list[Case]:
    """The same for JUnit, a case for each square."""
    found = []
    for square in matrix.squares:
        state = _JUNIT.get(square.verdict)
        told = (str(square.verdict), square.step, square.why) if state else ()
        case = Case(
            group=f"matrix.{square.architecture}.{square.package}",
            name=f"Python {square.python}" if square.python else "no Python",
            seconds=square.cpu,
            state=state,
            message=": ".join(part for part in told if part),
        )
        found.append(case)
    return found
