"""The execution of a plan: step after step, and beside each other what takes one core each."""

from __future__ import annotations

import resource
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

from crosspi.caches import OF_SETUP, make_cache
from crosspi.cancel import Cancel
from crosspi.console import Console
from crosspi.errors import (
    CrosspiError,
    Interrupted,
    StoreError,
    UnexpectedError,
    from_os_error,
)
from crosspi.work.plan import LOST, SOURCE, Outcome, State, Step, Workspace, closure, found, pending
from crosspi.work.store import Cost, Entry, Store

#: The kinds of the steps that take one core, for long: several run at once, beside others.
SINGLE_CORE = frozenset({"smoke"})
#: So often, in seconds, a signal is looked for while steps run in threads.
_AWAKE = 0.5


def execute(
    goals: Sequence[Step],
    store: Store,
    console: Console,
    logs: Path,
    *,
    force: bool = False,
    keep_going: bool = False,
    jobs: int = 1,
    known: Sequence[Outcome] = (),
) -> Generator[Outcome]:
    """Run what must run, step by step as the outcomes are taken.

    Close it (`contextlib.closing`) where it may not be taken to its end: steps may run meanwhile.

    Args:
        goals: the steps whose results are wanted.
        store: where results are kept.
        console: shows progress.
        logs: folder for one log file a step.
        force: run every stored step again.
        keep_going: after a failure go on with what does not need it.
        jobs: at most so many steps at once, where they take one core each.
        known: what became of some steps before, in the same run.

    Yields:
        The outcome of every goal and of every step that was needed, each after those of what it
        needs. The first failure ends the run unless keep_going; its error is in its outcome, not
        raised.
    """
    must_run = {item.step.name for item in pending(goals, store, force=force)}
    run = _Run(store, console, logs, known, force=force, keep_going=keep_going, jobs=jobs)
    try:
        # Sources first: what cannot be had ends a run before anything was compiled.
        ordered = sorted(closure(goals), key=lambda step: step.kind != SOURCE)
        todo = {step.name: step for step in ordered}
        while todo or run.begun:
            step = run.ready(todo)
            if step is None:
                yield from run.next_ended()
                continue
            del todo[step.name]
            if step.name in run.done:  # known, or mended for an earlier step
                continue
            if step.name in must_run:
                yield from run.made(step)
                continue
            there = found(step, store) if step in goals else None
            if isinstance(there, Entry):
                store.remember(step.kind, step.subject, step.all_inputs)
                yield _stored(step, there)
    finally:
        run.close()


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
        keep_going: bool,
        jobs: int,
    ) -> None:
        self._store = store
        self._console = console
        self._logs = logs
        self._force = force
        self._keep_going = keep_going
        self._jobs = jobs
        self._stop = False
        self._lost: set[str] = set()
        self._cancel = Cancel()
        self._threads = ThreadPoolExecutor(jobs, "step")
        #: What runs in a thread.
        self.begun: dict[Future[Outcome], Step] = {}
        #: The names of the steps of which the outcome is known.
        self.done: set[str] = set()
        for outcome in known:
            self._noted(outcome)

    def ready(self, todo: Mapping[str, Step]) -> Step | None:
        """The first step of which nothing that it needs is still to be done, or under way."""
        begun = {step.name for step in self.begun.values()}
        for step in todo.values():
            if not any(need.name in todo or need.name in begun for need in step.needs):
                return step
        return None

    def made(self, step: Step) -> Iterator[Outcome]:
        """Make a step, or begin with it; before it what it needs and is damaged or not there.

        Yields:
            The outcomes that came meanwhile.
        """
        for need in step.needs:
            if need.name not in self._lost and not self._intact(need):
                yield from self.made(need)
                while need in self.begun.values():
                    yield from self.next_ended()
        while len(self.begun) >= self._jobs:
            yield from self.next_ended()
        if self._stop or any(need.name in self._lost for need in step.needs):
            yield self._noted(Outcome(step, State.BLOCKED))
        elif step.kind in SINGLE_CORE:
            self.begun[self._threads.submit(self._run, step)] = step
        else:
            yield self._noted(self._run(step))

    def close(self) -> None:
        """End what still runs, and wait until it has cleared up."""
        self._cancel.set()
        self._threads.shutdown(cancel_futures=True)

    def next_ended(self) -> Iterator[Outcome]:
        """Wait until one of those that run has ended."""
        ended: set[Future[Outcome]] = set()
        while not ended:
            # Awake now and then: Python notes a signal when it comes, and acts on it when its main
            # thread goes on. One that waited without an end was seen to sleep over Ctrl-C.
            ended = wait(self.begun, timeout=_AWAKE, return_when=FIRST_COMPLETED).done
        for future in ended:
            del self.begun[future]
            yield self._noted(future.result())

    def _noted(self, outcome: Outcome) -> Outcome:
        self.done.add(outcome.step.name)
        if outcome.state in LOST:
            self._lost.add(outcome.step.name)
        self._stop = self._stop or (outcome.error is not None and not self._keep_going)
        return outcome

    def _intact(self, step: Step) -> bool:
        """Whether a step's result can be used; a damaged one is thrown away."""
        if step.name in self.done and step.present is not None:
            return True
        there = found(step, self._store)
        if not isinstance(there, Entry):
            return there
        damaged = self._store.damage(there)
        if damaged:
            self._console.line(
                f"{step.name}: its stored result is damaged ({', '.join(damaged[:3])}): made again"
            )
            self._store.discard(there)
        return not damaged

    def _run(self, step: Step) -> Outcome:
        """Make a step, or take what another crosspi made of it meanwhile. May run in a thread."""
        make_cache(self._logs, known=OF_SETUP)
        log = self._logs / f"{step.kind}-{step.subject}.log"
        with self._console.step(step.name) as shown:

            def waiting() -> None:
                self._cancel.check()
                shown.log("another crosspi is doing this step: waiting for it")

            with self._store.lock(step.kind, step.subject, step.key, waiting):
                there = False if self._force and step.present is None else found(step, self._store)
                if isinstance(there, Entry):
                    outcome = _stored(step, there)
                else:
                    log.unlink(missing_ok=True)
                    try:
                        outcome = self._make(step, log, shown.log)
                    except Interrupted:
                        raise
                    except Exception as error:
                        known = explained(step.name, error, log)
                        outcome = Outcome(step, State.FAILED, error=known, log=log)
            shown.state(outcome.state)
            return outcome

    def _make(self, step: Step, log: Path, line: Callable[[str], None]) -> Outcome:
        store = self._store
        with ExitStack() as held, store.draft(step.kind, step.subject, step.key) as draft:
            results = _results(step, store, held)
            work = Workspace(draft.out, log, line, results, forced=self._force, cancel=self._cancel)
            started, used = time.monotonic(), _cpu()
            step.action(work)
            wall = time.monotonic() - started
            # What runs beside it on the board knows its own; our own share of that is small.
            cpu = work.cost.cpu or _cpu() - used
            cost = Cost(wall, cpu, work.cost.ccache_hits, work.cost.ccache_misses)
            if step.present is not None:
                return Outcome(step, State.BUILT, cost=cost, log=log)
            draft.notes, draft.cost = work.notes, cost
            entry = store.seal(draft, step.kind, step.subject, step.key, step.all_inputs)
        return Outcome(step, State.BUILT, cost, entry.size, entry, log=log)


def _stored(step: Step, entry: Entry) -> Outcome:
    return Outcome(step, State.STORED, cost=entry.cost, size=entry.size, entry=entry)


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
