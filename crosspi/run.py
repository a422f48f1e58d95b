"""Runs the steps behind a request, and publishes each wheel as soon as it is proven."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from crosspi.auditing import REPORT
from crosspi.errors import CrosspiError, Interrupted
from crosspi.graph import Graph, WheelSteps
from crosspi.index import is_published, publish
from crosspi.plan import Outcome, closure, execute
from crosspi.project import Project, Request
from crosspi.store import Entry, Store
from crosspi.wheel import manifest, wheel_in


@dataclass(frozen=True)
class Result:
    """What a build came to."""

    outcomes: Sequence[Outcome]
    published: Sequence[Path]
    errors: Sequence[CrosspiError]
    wheels: Sequence[WheelSteps] = ()


def build(
    project: Project,
    request: Request,
    *,
    force: bool = False,
    keep_going: bool = False,
    level: str = "default",
) -> Result:
    """Build, prove and publish the wheels of a request; each as soon as it is proven.

    Errors of steps are in the result, after everything that could be done was done.

    Raises:
        UsageError: something of it cannot be built, by the data.
    """
    wheels = Graph(project, level=level).wheels(request)
    last = {steps.smoke.name: steps for steps in wheels}
    by_name: dict[str, Outcome] = {}
    published, errors = [], []
    for outcome in execute(
        [step for w in wheels for step in w.goals],
        project.store,
        project.console,
        project.paths.logs,
        force=force,
        keep_going=keep_going,
    ):
        by_name[outcome.step.name] = outcome
        if outcome.error is not None:
            errors.append(outcome.error)
        steps = last.get(outcome.step.name)
        entries = [e for step in steps.goals if (e := by_name[step.name].entry)] if steps else []
        if steps is None or len(entries) != len(steps.goals):
            continue
        try:
            published.append(_publish(project, steps, *entries))
        except Interrupted:
            raise
        except CrosspiError as error:
            errors.append(error)
    return Result(list(by_name.values()), published, errors, wheels)


def _publish(
    project: Project, steps: WheelSteps, wheel_entry: Entry, audited: Entry, tested: Entry
) -> Path:
    """Put a wheel into the index, if it is not there with this very proof; where it lies then."""
    dist = project.paths.dist
    wheel = wheel_in(wheel_entry.out)
    proof = {step.kind: step.key for step in steps.goals}
    if is_published(dist, wheel, proof):
        return dist / wheel.name
    audit = json.loads((audited.out / REPORT).read_text(encoding="utf-8"))
    smoke = json.loads((tested.out / "results.json").read_text(encoding="utf-8"))
    about = {**_costs(steps, project.store), "audit": audit, "smoke": smoke}
    text = manifest(steps.recipe, steps.cell, wheel, proof, tested.created, about)
    return publish(dist, wheel, text, audit, smoke)


def _costs(steps: WheelSteps, store: Store) -> dict[str, Mapping[str, object]]:
    """What the steps behind a wheel cost, as far as the store still knows."""
    costs: dict[str, Mapping[str, object]] = {}
    for step in closure([steps.smoke]):
        entry = store.find(step.kind, step.subject, step.key) if step.present is None else None
        if entry is not None:
            costs[f"step {step.name}"] = {"key": step.key, **asdict(entry.cost), **entry.notes}
    return costs
