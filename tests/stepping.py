"""Steps that note that they ran, and runs of them: for the tests of plans and their execution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from making import make_step, quiet, writes

from crosspi.errors import BuildError
from crosspi.work.execution import execute
from crosspi.work.plan import Outcome, State, Step, Workspace, pending
from crosspi.work.store import Store

Action = Callable[[Workspace], None]


class Log:
    """Actions that note that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def action(self, name: str, then: Action | None = None) -> Action:
        def act(work: Workspace) -> None:
            self.ran.append(name)
            (then or writes(name))(work)

        return act


def fails(work: Workspace) -> None:
    (work.out / "half").write_text("x")
    raise BuildError("it broke")


def chain(log: Log, *, first: str = "1", second: Action | None = None) -> tuple[Step, Step, Step]:
    """Three steps, each needing the one before."""
    a = make_step("compile", "a", inputs={"flags": first}, action=log.action("a"))
    b = make_step("build", "b", inputs={"recipe": "1"}, needs=[a], action=log.action("b", second))
    c = make_step("wheel", "c", needs=[b], action=log.action("c"))
    return a, b, c


def run(goals: Sequence[Step], store: Store, **options: Any) -> list[Outcome]:
    return list(execute(goals, store, quiet(), store.root / "logs", **options))


def states(outcomes: Sequence[Outcome]) -> dict[str, State]:
    return {outcome.step.subject: outcome.state for outcome in outcomes}


def reasons(goals: Sequence[Step], store: Store, *, force: bool = False) -> dict[str, str]:
    return {p.step.subject: p.reason for p in pending(goals, store, force=force)}
