"""A request as a graph of steps, and their execution.

A step's key is the hash of everything that goes into it and of the keys of the steps it needs. A
step runs only if its result is wanted and its key is not in the store.
"""

from __future__ import annotations

import re
import resource
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from crosspi.caches import OF_SETUP, make_cache
from crosspi.console import Console
from crosspi.digests import digest
from crosspi.errors import (
    CrosspiError,
    DataError,
    Interrupted,
    StoreError,
    UnexpectedError,
    from_os_error,
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
    """

    out: Path
    log: Path
    line: Callable[[str], None]
    results: Mapping[str, Path]
    notes: dict[str, Any] = field(default_factory=dict)
    cost: Cost = Cost()
    forced: bool = False


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


def _found(step: Step, store: Store) -> Entry | bool:
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
        if not (force and step.present is None) and _found(step, store):
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


def execute(
    goals: Sequence[Step],
    store: Store,
    console: Console,
    logs: Path,
    *,
    force: bool = False,
    keep_going: bool = False,
    known: Sequence[Outcome] = (),
) -> Iterator[Outcome]:
    """Run what must run, step by step as the outcomes are taken.

    Args:
        goals: the steps whose results are wanted.
        store: where results are kept.
        console: shows progress.
        logs: folder for one log file a step.
        force: run every stored step again.
        keep_going: after a failure go on with what does not need it.
        known: what became of some steps before, in the same run.

    Yields:
        The outcome of every goal and of every step that was needed, in order. The first failure
        ends the run unless keep_going; its error is in its outcome, not raised.
    """
    must_run = {item.step.name for item in pending(goals, store, force=force)}
    run = _Run(store, console, logs, known, force=force)
    stop = any(outcome.error for outcome in known) and not keep_going
    # Sources first: what cannot be had ends a run before anything was compiled.
    for step in sorted(closure(goals), key=lambda step: step.kind != SOURCE):
        if step.name in run.done:  # known, or mended for an earlier step
            continue
        if step.name not in must_run:
            found = _found(step, store) if step in goals else None
            if isinstance(found, Entry):
                store.remember(step.kind, step.subject, step.all_inputs)
                yield _stored(step, found)
            continue
        for outcome in [Outcome(step, State.BLOCKED)] if stop else run.made(step):
            stop = stop or (outcome.error is not None and not keep_going)
            yield outcome


class _Run:
    """A run under way: makes steps, and again those whose stored results are damaged."""

    def __init__(
        self,
        store: Store,
        console: Console,
        logs: Path,
        known: Sequence[Outcome],
        *,
        force: bool,
    ) -> None:
        self._store = store
        self._console = console
        self._logs = logs
        self._force = force
        self._lost = {o.step.name for o in known if o.state in LOST}
        self.done = {outcome.step.name for outcome in known}

    def made(self, step: Step) -> Iterator[Outcome]:
        """Make a step; before it what it needs and what is damaged, or is not there after all."""
        for need in step.needs:
            if need.name not in self._lost and not self._intact(need):
                yield from self.made(need)
        if any(need.name in self._lost for need in step.needs):
            outcome = Outcome(step, State.BLOCKED)
        else:
            outcome = _run(step, self._store, self._console, self._logs, force=self._force)
        if outcome.state in LOST:
            self._lost.add(step.name)
        self.done.add(step.name)
        yield outcome

    def _intact(self, step: Step) -> bool:
        """Whether a step's result can be used; a damaged one is thrown away."""
        if step.name in self.done and step.present is not None:
            return True
        found = _found(step, self._store)
        if not isinstance(found, Entry):
            return found
        damaged = self._store.damage(found)
        if damaged:
            self._console.line(
                f"{step.name}: its stored result is damaged ({', '.join(damaged[:3])}): made again"
            )
            self._store.discard(found)
        return not damaged


def _stored(step: Step, entry: Entry) -> Outcome:
    return Outcome(step, State.STORED, cost=entry.cost, size=entry.size, entry=entry)


def _run(step: Step, store: Store, console: Console, logs: Path, *, force: bool) -> Outcome:
    make_cache(logs, known=OF_SETUP)
    log = logs / f"{step.kind}-{step.subject}.log"
    with console.step(step.name) as shown:

        def waiting() -> None:
            shown.log("another crosspi is doing this step: waiting for it")

        with store.lock(step.kind, step.subject, step.key, waiting):
            found = False if force and step.present is None else _found(step, store)
            if isinstance(found, Entry):
                shown.state(State.STORED)
                return _stored(step, found)
            log.unlink(missing_ok=True)
            try:
                with (
                    ExitStack() as held,
                    store.draft(step.kind, step.subject, step.key) as draft,
                ):
                    results = _results(step, store, held)
                    work = Workspace(draft.out, log, shown.log, results, forced=force)
                    started, used = time.monotonic(), _cpu()
                    step.action(work)
                    wall = time.monotonic() - started
                    cpu = work.cost.cpu or _cpu() - used
                    cost = Cost(wall, cpu, work.cost.ccache_hits, work.cost.ccache_misses)
                    if step.present is not None:
                        shown.state(State.BUILT)
                        return Outcome(step, State.BUILT, cost=cost, log=log)
                    draft.notes, draft.cost = work.notes, cost
                    entry = store.seal(draft, step.kind, step.subject, step.key, step.all_inputs)
            except Interrupted:
                raise
            except Exception as error:
                shown.state(State.FAILED)
                return Outcome(step, State.FAILED, error=explained(step.name, error, log), log=log)
            shown.state(State.BUILT)
            return Outcome(step, State.BUILT, cost, entry.size, entry, log=log)


def explained(doing: str, error: Exception, log: Path) -> CrosspiError:
    """The project's error for any; the traceback of what nobody thought of goes to a log.

    Args:
        doing: what was done, by name.
        error: what came of it.
        log: a file, which is added to.
    """
    if isinstance(error, CrosspiError):
        return error
    known = from_os_error(error, doing=doing) if isinstance(error, OSError) else None
    if known is not None:
        return known
    make_cache(log.parent, known=OF_SETUP)
    with log.open("a", encoding="utf-8") as out:
        out.write("".join(traceback.format_exception(error)))
    last = traceback.extract_tb(error.__traceback__)[-1]
    return UnexpectedError(
        f"{doing} ended with {type(error).__name__}: {error}",
        where=f"{last.filename}:{last.lineno}, whole traceback: {log}",
        why="this is a mistake in crosspi, or something on this machine that nobody thought of",
        fix="if the text says nothing to you, report it with that log",
    )


def _results(step: Step, store: Store, held: ExitStack) -> dict[str, Path]:
    """The folders of what a step needs, held against removal until `held` ends."""
    results = {}
    for need in step.needs:
        if need.present is not None:
            continue
        entry = held.enter_context(store.reading(need.kind, need.subject, need.key))
        if entry is None:
            raise StoreError(
                f"the stored result of {need.name} went away",
                why="another program removed it meanwhile",
                fix="run the same command again: it is made anew",
            )
        results[need.name] = entry.out
    return results


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
