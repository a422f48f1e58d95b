"""A request as a graph of steps, and their execution.

A step's key is the hash of everything that goes into it and of the keys of the steps it needs. A
step runs only if its result is wanted and its key is not in the store.
"""

from __future__ import annotations

import hashlib
import json
import resource
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from crosspi.caches import OF_SETUP, make_cache
from crosspi.console import Console
from crosspi.errors import CrosspiError, Interrupted, StoreError, from_os_error
from crosspi.store import Cost, Entry, Store

#: The kind of the steps that fetch.
SOURCE = "source"


class State(StrEnum):
    """How a step ended."""

    BUILT = "built"
    STORED = "from the store"
    FAILED = "failed"
    BLOCKED = "blocked"


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
    """

    out: Path
    log: Path
    line: Callable[[str], None]
    results: Mapping[str, Path]
    notes: dict[str, Any] = field(default_factory=dict)
    cost: Cost = Cost()


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
        return digest([self.kind, self.subject, self.all_inputs])


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


def digest(value: object) -> str:
    """The sha256 of plain data, the same for equal data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_files(*paths: Path, without: Collection[Path] = ()) -> str:
    """The sha256 of files and of all files below folders: names, modes and bytes.

    Args:
        paths: files and folders.
        without: files below the folders that do not count.
    """
    files: list[tuple[str, bool, str]] = []
    for path in paths:
        inner = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inner:
            if "__pycache__" in file.parts or file in without:
                continue
            name = str(file.relative_to(path.parent))
            data = hashlib.sha256(file.read_bytes()).hexdigest()
            files.append((name, bool(file.stat().st_mode & 0o100), data))
    return digest(files)


def closure(goals: Sequence[Step]) -> list[Step]:
    """The goals and everything they need, each after what it needs."""
    ordered: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.name not in ordered:
            for need in step.needs:
                visit(need)
            ordered[step.name] = step

    for goal in goals:
        visit(goal)
    return list(ordered.values())


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


def _reason(step: Step, store: Store) -> str:
    if step.present is not None:
        return "not here yet"
    last = store.last_inputs(step.kind, step.subject)
    if last is None:
        return "never built"
    now = step.all_inputs
    changed = sorted(name for name in now.keys() | last.keys() if now.get(name) != last.get(name))
    if not changed:
        return "its stored result is gone or damaged"
    return "changed: " + ", ".join(changed)


def execute(
    goals: Sequence[Step],
    store: Store,
    console: Console,
    logs: Path,
    *,
    force: bool = False,
    keep_going: bool = False,
) -> Iterator[Outcome]:
    """Run what must run, step by step as the outcomes are taken.

    Args:
        goals: the steps whose results are wanted.
        store: where results are kept.
        console: shows progress.
        logs: folder for one log file a step.
        force: run every stored step again.
        keep_going: after a failure go on with what does not need it.

    Yields:
        The outcome of every goal and of every step that was needed, in order. The first failure
        ends the run unless keep_going; its error is in its outcome, not raised.
    """
    lost: set[str] = set()
    must_run = {item.step.name for item in pending(goals, store, force=force)}
    stop = False
    # Sources first: what cannot be had ends a run before anything was compiled.
    for step in sorted(closure(goals), key=lambda step: step.kind != SOURCE):
        if step.name not in must_run:
            found = _found(step, store) if step in goals else None
            if isinstance(found, Entry):
                store.remember(step.kind, step.subject, step.all_inputs)
                yield _stored(step, found)
            continue
        if stop or any(need.name in lost for need in step.needs):
            outcome = Outcome(step, State.BLOCKED)
        else:
            outcome = _run(step, store, console, logs, force=force)
            stop = outcome.error is not None and not keep_going
        if outcome.state in (State.BLOCKED, State.FAILED):
            lost.add(step.name)
        yield outcome


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
                results = _results(step, store)
                with store.draft(step.kind, step.subject, step.key) as draft:
                    work = Workspace(draft.out, log, shown.log, results)
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
            except CrosspiError as error:
                shown.state(State.FAILED)
                return Outcome(step, State.FAILED, error=error, log=log)
            except OSError as error:
                known = from_os_error(error, doing=step.name)
                if known is None:
                    raise
                shown.state(State.FAILED)
                return Outcome(step, State.FAILED, error=known, log=log)
            shown.state(State.BUILT)
            return Outcome(step, State.BUILT, cost, entry.size, entry, log=log)


def _results(step: Step, store: Store) -> dict[str, Path]:
    """The folders of what a step needs; a damaged one is thrown away and reported."""
    results = {}
    for need in step.needs:
        if need.present is not None:
            continue
        entry = store.find(need.kind, need.subject, need.key)
        damaged = store.damage(entry) if entry else ["(all of it)"]
        if entry is None or damaged:
            if entry:
                store.discard(entry)
            raise StoreError(
                f"the stored result of {need.name} is damaged and was thrown away",
                where=", ".join(damaged[:3]),
                why="the disk failed, or another program changed the store",
                fix="run the same command again: it is built anew",
            )
        results[need.name] = entry.out
    return results


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
