"""Runs of steps: their order, their end, and what runs beside each other."""

from __future__ import annotations

import _thread
import errno
import io
import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from making import make_step, quiet, writes
from stepping import Action, Log, chain, fails, run, states

from crosspi.cli.session import Terminated
from crosspi.console import Console
from crosspi.errors import DiskFullError, StoreError, UnexpectedError
from crosspi.work.execution import execute
from crosspi.work.plan import State, Step, Workspace, closure, pending
from crosspi.work.store import Cost, Store


@pytest.fixture
def log() -> Log:
    return Log()


def test_the_second_time_nothing_runs(store: Store, log: Log) -> None:
    goal = chain(log)[2]
    run([goal], store)
    log.ran.clear()
    assert pending([goal], store) == []
    assert states(run([goal], store)) == {"c": State.STORED}
    assert log.ran == []


@pytest.mark.parametrize("force", [False, True])
def test_a_step_knows_that_it_is_forced(store: Store, force: bool) -> None:
    """What it remembers elsewhere is not to count then."""
    seen: list[bool] = []
    run([make_step("audit", "a", action=lambda work: seen.append(work.forced))], store, force=force)
    assert seen == [force]


def test_an_absent_image_is_not_made_for_a_stored_result(store: Store, log: Log) -> None:
    image = make_step("image", "i", action=log.action("i"), present=lambda: False)
    goal = make_step("build", "g", needs=[image], action=log.action("g"))
    run([goal], store)
    log.ran.clear()
    run([goal], store)
    assert log.ran == []


def test_a_step_gets_the_results_of_what_it_needs(store: Store) -> None:
    first = make_step("compile", "a", action=writes("made by a"))
    seen: list[str] = []

    def act(work: Workspace) -> None:
        seen.append((work.results["compile:a"] / "file").read_text())
        assert list(work.out.iterdir()) == []

    run([make_step("build", "b", needs=[first], action=act)], store)
    assert seen == ["made by a"]


def test_notes_and_cost_are_kept(store: Store) -> None:
    def act(work: Workspace) -> None:
        work.notes["n"] = [1]
        work.cost = Cost(cpu=7.0, ccache_hits=3, ccache_misses=1)

    (outcome,) = run([make_step(action=act)], store)
    assert outcome.entry is not None
    assert outcome.entry.notes == {"n": [1]}
    assert (outcome.cost.cpu, outcome.cost.ccache_hits, outcome.cost.ccache_misses) == (7.0, 3, 1)
    (again,) = run([make_step(action=act)], store)
    assert again.cost == outcome.cost


def test_a_failing_step_leaves_nothing_in_the_store(store: Store, log: Log) -> None:
    _, b, c = chain(log, second=fails)
    outcomes = run([c], store)
    assert states(outcomes) == {"a": State.BUILT, "b": State.FAILED, "c": State.BLOCKED}
    assert store.find(b.kind, b.subject, b.key) is None
    assert list((store.root / "drafts").iterdir()) == []
    assert [str(o.error) for o in outcomes if o.error] == ["build failed: it broke"]
    assert outcomes[1].log == store.root / "logs" / "build-b.log"


def test_what_succeeded_before_a_failure_is_kept(store: Store, log: Log) -> None:
    run([chain(log, second=fails)[2]], store)
    log.ran.clear()
    run([chain(log)[2]], store)
    assert log.ran == ["b", "c"]


def test_the_first_failure_ends_the_run(store: Store, log: Log) -> None:
    bad = make_step("build", "bad", action=fails)
    other = make_step("build", "other", action=log.action("other"))
    assert states(run([bad, other], store)) == {"bad": State.FAILED, "other": State.BLOCKED}
    assert log.ran == []


def test_keep_going_does_what_does_not_need_the_failure(store: Store, log: Log) -> None:
    bad = make_step("build", "bad", action=fails)
    blocked = make_step("wheel", "blocked", needs=[bad], action=log.action("blocked"))
    further = make_step("audit", "further", needs=[blocked], action=log.action("further"))
    other = make_step("build", "other", action=log.action("other"))
    assert states(run([further, other], store, keep_going=True)) == {
        "bad": State.FAILED,
        "blocked": State.BLOCKED,
        "further": State.BLOCKED,
        "other": State.BUILT,
    }
    assert log.ran == ["other"]


def test_a_full_disk_is_its_own_error(store: Store) -> None:
    def act(_: Workspace) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/cache/big")

    (outcome,) = run([make_step(action=act)], store)
    assert isinstance(outcome.error, DiskFullError)
    assert outcome.error.exit_code == 13
    assert outcome.error.where == "/cache/big"
    assert list((store.root / "drafts").iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB."""
    if os.getuid() != 0 or os.environ.get("CI") != "true":
        pytest.skip("mounts a small tmpfs: only as root with CI=true")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_really_is_full(small_disk: Path, tmp_path: Path) -> None:
    store = Store(small_disk / "store")
    (outcome,) = execute(
        [make_step(action=writes("x" * 1_000_000))], store, quiet(), tmp_path / "logs"
    )
    assert isinstance(outcome.error, DiskFullError)
    assert list((store.root / "drafts").iterdir()) == []
    (again,) = execute([make_step(action=writes("x"))], store, quiet(), tmp_path / "logs")
    assert again.state is State.BUILT


def tar_fails(_: Workspace) -> None:
    subprocess.run(["false"], check=True)


def mistaken(_: Workspace) -> None:
    {}["key"]


def cut_off(_: Workspace) -> None:
    struct.unpack("<I", b"x")


def disk_fails(_: Workspace) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("action", [tar_fails, mistaken, cut_off, disk_fails])
def test_what_nobody_thought_of_fails_its_step_and_no_other(
    store: Store, log: Log, action: Action
) -> None:
    bad = make_step("build", "bad", action=action)
    other = make_step("build", "other", action=log.action("other"))
    outcomes = run([bad, other], store, keep_going=True)
    assert states(outcomes) == {"bad": State.FAILED, "other": State.BUILT}
    error = outcomes[0].error
    assert isinstance(error, UnexpectedError)
    assert error.exit_code == 15
    path = store.root / "logs" / "build-bad.log"
    assert str(path) in error.where
    assert "Traceback (most recent call last)" in path.read_text()
    assert action.__name__ in path.read_text()
    assert list((store.root / "drafts").iterdir()) == []


def test_a_traceback_comes_after_what_the_step_printed(store: Store) -> None:
    def act(work: Workspace) -> None:
        work.log.write_text("half an audit\n")
        raise KeyError

    (outcome,) = run([make_step(action=act)], store)
    assert outcome.log is not None
    assert outcome.log.read_text().startswith("half an audit\nTraceback")


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), Terminated("SIGTERM")])
@pytest.mark.parametrize("keep_going", [False, True])
def test_an_interruption_passes_and_leaves_no_draft(
    store: Store, log: Log, interruption: BaseException, keep_going: bool
) -> None:
    def act(work: Workspace) -> None:
        (work.out / "half").write_text("x")
        raise interruption

    step = make_step("build", "a", action=act)
    other = make_step("build", "b", action=log.action("b"))
    with pytest.raises(type(interruption)):
        run([step, other], store, keep_going=keep_going)
    assert list((store.root / "drafts").iterdir()) == []
    assert store.find(step.kind, step.subject, step.key) is None
    assert log.ran == []


def stored_file(store: Store, step: Step) -> Path:
    entry = store.find(step.kind, step.subject, step.key)
    assert entry is not None
    return entry.out / "file"


def test_a_needed_result_of_another_size_is_made_again(store: Store, log: Log) -> None:
    a, b, c = chain(log)
    run([c], store)
    stored_file(store, a).write_text("quite another size")
    stored_file(store, b).write_text("quite another size")
    log.ran.clear()
    run([b, c], store)
    assert log.ran == ["a", "b"]


def test_a_damaged_result_is_made_again_for_all_that_need_it(store: Store, log: Log) -> None:
    def graph() -> list[Step]:
        source = make_step("compile", "s", action=log.action("s"))
        shared = make_step("compile", "a", needs=[source], action=log.action("a"))
        names = ("b", "c")
        return [make_step("build", n, needs=[shared], action=log.action(n)) for n in names]

    run(graph()[0].needs, store)
    for step in closure(graph()[:1])[:2]:
        stored_file(store, step).write_text(step.subject.upper())  # the same size
    log.ran.clear()
    outcomes = run(graph(), store)
    assert log.ran == ["s", "a", "b", "c"]
    assert states(outcomes) == dict.fromkeys("sabc", State.BUILT)
    log.ran.clear()
    assert pending(graph(), store) == []


def test_what_cannot_be_made_again_blocks_what_needs_it(store: Store, log: Log) -> None:
    run([make_step("compile", "a", action=writes("a"))], store)
    again = make_step("compile", "a", action=fails)
    stored_file(store, again).write_text("A")
    goals = [make_step("build", n, needs=[again], action=log.action(n)) for n in ("b", "c")]
    found = states(run(goals, store, keep_going=True))
    assert found == {"a": State.FAILED, "b": State.BLOCKED, "c": State.BLOCKED}
    assert log.ran == []


def test_a_result_that_goes_away_is_an_error_of_its_step(
    store: Store, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def gone(*_: str) -> Iterator[None]:
        yield None

    a, b, _ = chain(log)
    run([a], store)
    monkeypatch.setattr(store, "reading", gone)
    (error,) = [o.error for o in run([b], store) if o.error]
    assert isinstance(error, StoreError)
    assert "compile:a went away" in error.what


def test_a_result_is_held_while_it_is_used(store: Store) -> None:
    """Another crosspi that makes it anew takes its place, and not its files."""
    first = make_step("compile", "a", action=writes("old"))
    seen: list[str] = []

    def act(work: Workspace) -> None:
        held = os.open(work.results["compile:a"], os.O_RDONLY)  # as a container's mount does
        pid = os.fork()
        if pid == 0:
            run([make_step("compile", "a", action=writes("new"))], store, force=True)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        with open("file", opener=lambda name, flags: os.open(name, flags, dir_fd=held)) as file:
            seen.append(file.read())
        os.close(held)

    run([make_step("build", "b", needs=[first], action=act)], store)
    assert seen == ["old"]
    assert stored_file(store, first).read_text() == "new"
    run([make_step("compile", "z")], store, force=True)
    store.discard(store.find("compile", "z", make_step("compile", "z").key) or pytest.fail())
    assert list((store.root / "trash").iterdir()) == []


def test_two_processes_do_not_do_the_same_step(store: Store) -> None:
    """The second waits for the first, and takes its result from the store."""
    started_in, started_out = os.pipe()
    go_in, go_out = os.pipe()

    def first(work: Workspace) -> None:
        os.write(started_out, b"s")
        os.read(go_in, 1)
        (work.out / "file").write_text("the first's")

    pid = os.fork()
    if pid == 0:
        run([make_step(action=first)], store)
        os._exit(0)
    os.read(started_in, 1)

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if "waiting for it" in text:
                os.write(go_out, b"g")
            return super().write(text)

    console = Console(terminal=False, stream=Stream(), verbose=True)
    ours = make_step(action=writes("ours"))
    (outcome,) = execute([ours], store, console, store.root / "logs")
    assert os.waitpid(pid, 0)[1] == 0
    assert outcome.state is State.STORED
    assert stored_file(store, ours).read_text() == "the first's"


def test_sources_come_first(store: Store) -> None:
    ran: list[str] = []

    def noting(name: str) -> Callable[[Workspace], None]:
        return lambda _work: ran.append(name)

    compiled = make_step("early", action=noting("compiled"))
    source = Step("source", "s", {}, (), noting("fetched"), lambda: False)
    last = make_step("late", needs=(compiled, source), action=noting("built"))
    run([last], store)
    assert ran == ["fetched", "compiled", "built"]


# --- beside each other ----------------------------------------------------------------------------


def smoke(name: str, action: Action, needs: Sequence[Step] = ()) -> Step:
    return make_step("smoke", name, action=action, needs=needs)


def test_single_core_steps_run_at_once(store: Store) -> None:
    together = threading.Barrier(2, timeout=60)  # of one alone it would break

    def act(work: Workspace) -> None:
        together.wait()
        writes("x")(work)

    outcomes = run([smoke(name, act) for name in "ab"], store, jobs=2)
    assert states(outcomes) == dict.fromkeys("ab", State.BUILT)


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_run_at_once_than_there_are_jobs(store: Store, jobs: int) -> None:
    running: list[int] = []
    most: list[int] = []

    def act(work: Workspace) -> None:
        running.append(1)
        most.append(len(running))
        writes("x")(work)
        running.pop()

    steps = [smoke(str(number), act) for number in range(8)]
    steps.insert(4, make_step("build", "between", action=act))
    assert len(run(steps, store, jobs=jobs)) == 9
    assert max(most) <= jobs


def test_what_does_not_need_a_smoke_test_goes_on_beside_it(store: Store) -> None:
    built = threading.Event()

    def waits(work: Workspace) -> None:
        assert built.wait(60)
        writes("x")(work)

    def builds(work: Workspace) -> None:
        built.set()
        writes("x")(work)

    goals = [smoke("s", waits), make_step("build", "b", action=builds)]
    assert states(run(goals, store, jobs=2)) == {"s": State.BUILT, "b": State.BUILT}


def test_what_needs_a_smoke_test_waits_for_it(store: Store, log: Log) -> None:
    board = smoke("board", log.action("board"))
    goal = smoke("wheel", log.action("wheel"), [board])
    assert [o.step.subject for o in run([goal], store, jobs=4)] == ["board", "wheel"]
    assert log.ran == ["board", "wheel"]


def test_what_waits_for_a_smoke_test_keeps_nothing_else_waiting(store: Store, log: Log) -> None:
    other_ran = threading.Event()

    def waits(work: Workspace) -> None:
        assert other_ran.wait(60)
        log.action("board")(work)

    def other(work: Workspace) -> None:
        log.action("other")(work)
        other_ran.set()

    goals = [smoke("wheel", log.action("wheel"), [smoke("board", waits)]), smoke("other", other)]
    run(goals, store, jobs=2)
    assert log.ran == ["other", "board", "wheel"]


def test_a_failed_smoke_test_blocks_what_needs_it_and_what_has_not_begun(
    store: Store, log: Log
) -> None:
    bad = smoke("bad", fails)
    goals = [bad, smoke("wheel", log.action("wheel"), [bad]), smoke("other", log.action("other"))]
    assert states(run(goals, store, jobs=1)) == {
        "bad": State.FAILED,
        "wheel": State.BLOCKED,
        "other": State.BLOCKED,
    }
    assert states(run(goals, store, jobs=2, keep_going=True)) == {
        "bad": State.FAILED,
        "wheel": State.BLOCKED,
        "other": State.BUILT,
    }


def test_what_runs_meanwhile_ends_with_an_interruption(store: Store) -> None:
    """As Ctrl-C in the main thread does: the others are woken, and clear up behind them."""
    begun, woken = threading.Event(), threading.Event()

    def waits(work: Workspace) -> None:
        with work.cancel.waking(woken.set):
            begun.set()
            assert woken.wait(60)

    def interrupted(_work: Workspace) -> None:
        assert begun.wait(60)
        raise KeyboardInterrupt

    goals = [smoke("s", waits), make_step("build", "b", action=interrupted)]
    with pytest.raises(KeyboardInterrupt):
        run(goals, store, jobs=2)
    assert woken.is_set()
    assert list((store.root / "drafts").iterdir()) == []
    assert store.find("smoke", "s", goals[0].key) is None


def test_a_signal_that_wakes_nobody_is_seen_all_the_same(store: Store) -> None:
    """Python notes a signal; the main thread, which acts on it, may sleep on."""
    woken, seen = threading.Event(), []

    def waits(work: Workspace) -> None:
        with work.cancel.waking(woken.set):
            time.sleep(0.2)  # the main thread waits now
            _thread.interrupt_main()
            seen.append(woken.wait(20))

    with pytest.raises(KeyboardInterrupt):
        run([smoke("s", waits)], store)
    assert seen == [True]


def test_who_takes_no_more_outcomes_ends_what_runs(store: Store) -> None:
    woken = threading.Event()

    def waits(work: Workspace) -> None:
        with work.cancel.waking(woken.set):
            assert woken.wait(60)

    goals = [smoke("s", waits), make_step("build", "b", action=writes("b"))]
    with closing(execute(goals, store, quiet(), store.root / "logs", jobs=2)) as outcomes:
        assert next(outcomes).step.subject == "b"
    assert woken.is_set()
    assert list((store.root / "drafts").iterdir()) == []


def test_a_wait_for_another_process_ends_with_an_interruption(store: Store) -> None:
    waited = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            if "waiting for it" in text:
                waited.set()
            return super().write(text)

    def interrupted(_work: Workspace) -> None:
        assert waited.wait(60)
        raise KeyboardInterrupt

    step = smoke("s", writes("x"))
    console = Console(terminal=False, stream=Stream(), verbose=True)
    goals = [step, make_step("build", "b", action=interrupted)]
    with (
        store.lock(step.kind, step.subject, step.key, pytest.fail),
        pytest.raises(KeyboardInterrupt),
    ):
        list(execute(goals, store, console, store.root / "logs", jobs=2))
