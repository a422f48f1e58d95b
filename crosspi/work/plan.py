"""A request as a graph of steps, and what of it must run.

A step's key is the hash of everything that goes into it and of the keys of the steps it needs. A
step runs only if its result is wanted and its key is not in the store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from crosspi.cancel import Cancel
from crosspi.digests import digest
from crosspi.errors import (
    CrosspiError,
    DataError,
)
from crosspi.work.store import Cost, Entry, Store

#: The kind of the steps that fetch.
SOURCE = "source"
#: Goes into every key. Counted up where all that was made before must be made again although
#: nothing that a key knows has changed.
ARTEFACT_VERSION = 1


class State(StrEnum):
    """How a step ended."""

    BUILT = "built"
    STORED = "from the store"
    FAILED = "failed"
    BLOCKED = "blocked"


#: Without a result.
LOST = (State.FAILED, State.BLOCKED)


@dataclass
class Workspace:
    """What a running step is given.

    Attributes:
        out: an empty folder for its result.
        log: the file for everything that its commands print.
        line: shows a line as the step's last log line.
        results: the folders of the steps it needs, by step name.
        notes: facts about the result, kept in the manifest.
        cost: set by the step where it knows better than the clock.
        forced: the user asked for it to be done again: nothing of before counts.
        cancel: wakes what waits for long, where the run is ended from outside.
    """

    out: Path
    log: Path
    line: Callable[[str], None]
    results: Mapping[str, Path]
    notes: dict[str, Any] = field(default_factory=dict)
    cost: Cost = Cost()
    forced: bool = False
    cancel: Cancel = field(default_factory=Cancel)


@dataclass(frozen=True, eq=False)
class Step:
    """One thing to do.

    Attributes:
        kind: what it does: source, image, toolchain, python, compile, build, wheel, audit, smoke.
        subject: to what, like numpy-cp311-armv7.
        inputs: everything that goes into it, by a name that explains a miss, as a digest.
        needs: the steps whose results it uses.
        action: does it.
        present: for results that live outside the store (images, sources): whether it is there.
    """

    kind: str
    subject: str
    inputs: Mapping[str, str]
    needs: tuple[Step, ...]
    action: Callable[[Workspace], None]
    present: Callable[[], bool] | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.subject}"

    @cached_property
    def all_inputs(self) -> dict[str, str]:
        return {**self.inputs, **{need.name: need.key for need in self.needs}}

    @cached_property
    def key(self) -> str:
        return digest([ARTEFACT_VERSION, self.kind, self.subject, self.all_inputs])


@dataclass(frozen=True)
class Outcome:
    """What became of a step."""

    step: Step
    state: State
    cost: Cost = Cost()
    size: int = 0
    entry: Entry | None = None
    error: CrosspiError | None = None
    log: Path | None = None


@dataclass(frozen=True)
class Pending:
    """A step that would run, and why."""

    step: Step
    reason: str


def closure(goals: Sequence[Step]) -> list[Step]:
    """The goals and everything they need, each after what it needs.

    Raises:
        DataError: two of them have one name and are not the same.
    """
    ordered: dict[str, Step] = {}

    def visit(step: Step) -> None:
        known = ordered.get(step.name)
        if known is None:
            for need in step.needs:
                visit(need)
            ordered[step.name] = step
        elif known.key != step.key:
            raise _one_name(known, step)

    for goal in goals:
        visit(goal)
    return list(ordered.values())


def _one_name(*steps: Step) -> DataError:
    return DataError(
        f"two different steps have one name: {steps[0].name}",
        where="\n".join(
            ", ".join(f"{name} {value[:8]}" for name, value in sorted(step.all_inputs.items()))
            for step in steps
        ),
        why="they differ in: " + ", ".join(differing(*(step.all_inputs for step in steps))),
        fix="two recipes, parts or variants must not be called alike: give one another name",
    )


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names under which two mappings differ."""
    names = one.keys() | other.keys()
    return sorted(name for name in names if one.get(name) != other.get(name))


def found(step: Step, store: Store) -> Entry | bool:
    """The entry of a step, or whether its external result is present."""
    if step.present is not None:
        return step.present()
    return store.find(step.kind, step.subject, step.key) or False


def pending(goals: Sequence[Step], store: Store, *, force: bool = False) -> list[Pending]:
    """The steps that would run, in their order, each with the reason."""
    wanted: dict[str, Pending] = {}
    seen: set[str] = set()

    def visit(step: Step) -> None:
        if step.name in seen:
            return
        seen.add(step.name)
        if not (force and step.present is None) and found(step, store):
            return
        for need in step.needs:
            visit(need)
        wanted[step.name] = Pending(step, "forced" if force else _reason(step, store))

    for goal in goals:
        visit(goal)
    return [wanted[step.name] for step in closure(goals) if step.name in wanted]


def first_to_make(goals: Sequence[Step], store: Store) -> list[Step]:
    """Of what would run, what lives outside the store and needs nothing: sources and images.

    What is in an image is known once it is made, and goes into the keys of what runs in it: so
    these are made first, and then the graph anew.
    """
    would_run = [item.step for item in pending(goals, store)]
    first = [step for step in would_run if step.present is not None and not step.needs]
    return sorted(first, key=lambda step: step.kind != SOURCE)


def _reason(step: Step, store: Store) -> str:
    if step.present is not None:
        return "not here yet"
    last = store.last_inputs(step.kind, step.subject)
    if last is None:
        return "never built"
    now = step.all_inputs
    changed = [
        name + _parts(now.get(name, ""), last.get(name, "")) for name in differing(now, last)
    ]
    if not changed:
        return "its stored result is gone or damaged"
    return "changed: " + ", ".join(changed)


def _parts(now: str, before: str) -> str:
    """Which parts of an input of several parts, like `image 1a, code 2b`, differ."""
    parts = [dict(re.findall(r"(\w+) ([^,]+)(?:, |$)", text)) for text in (now, before)]
    return f" ({', '.join(differing(*parts))})" if all(len(p) > 1 for p in parts) else ""
