"""Steps: their keys, what must run and why, and how a run ends."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from making import make_step, quiet, writes

from crosspi.cli.session import Terminated
from crosspi.console import Console
from crosspi.digests import digest, digest_files
from crosspi.errors import BuildError, DataError, DiskFullError, StoreError, UnexpectedError
from crosspi.work.plan import Outcome, State, Step, Workspace, closure, execute, pending
from crosspi.work.store import Cost, Store

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


@pytest.fixture
def log() -> Log:
    return Log()


def fails(work: Workspace) -> None:
    (work.out / "half").write_text("x")
    raise BuildError("it broke")


def chain(log: Log, *, first: str = "1", second: Action | None = None) -> tuple[Step, Step, Step]:
    """Three steps, each needing the one before."""
    a = make_step("compile", "a", inputs={"flags": first}, action=log.action("a"))
    b = make_step("build", "b", inputs={"recipe": "1"}, needs=[a], action=log.action("b", second))
    c = make_step("wheel", "c", needs=[b], action=log.action("c"))
    return a, b, c


def run(goals: Sequence[Step], store: Store, **options: bool) -> list[Outcome]:
    return list(execute(goals, store, quiet(), store.root / "logs", **options))


def states(outcomes: Sequence[Outcome]) -> dict[str, State]:
    return {outcome.step.subject: outcome.state for outcome in outcomes}


def reasons(goals: Sequence[Step], store: Store, *, force: bool = False) -> dict[str, str]:
    return {p.step.subject: p.reason for p in pending(goals, store, force=force)}


# --- keys -----------------------------------------------------------------------------------------


def test_the_same_step_has_the_same_key() -> None:
    def step(inputs: dict[str, str]) -> Step:
        return make_step("build", "x", inputs=inputs, needs=[make_step("compile", "y")])

    assert step({"a": "1", "b": "2"}).key == step({"b": "2", "a": "1"}).key


def test_a_key_changes_with_each_thing_that_goes_in() -> None:
    base = make_step("build", "x", inputs={"a": "1"}, needs=[make_step("compile", "y")])
    others = [
        make_step("wheel", "x", inputs={"a": "1"}, needs=[make_step("compile", "y")]),
        make_step("build", "z", inputs={"a": "1"}, needs=[make_step("compile", "y")]),
        make_step("build", "x", inputs={"a": "2"}, needs=[make_step("compile", "y")]),
        make_step("build", "x", inputs={"b": "1"}, needs=[make_step("compile", "y")]),
        make_step("build", "x", inputs={"a": "1"}, needs=[make_step("compile", "z")]),
        make_step("build", "x", inputs={"a": "1"}),
        make_step(
            "build", "x", inputs={"a": "1"}, needs=[make_step("compile", "y", inputs={"": ""})]
        ),
    ]
    keys = {step.key for step in others}
    assert len(keys) == len(others)
    assert base.key not in keys


def test_a_key_does_not_depend_on_the_code_that_runs() -> None:
    step = make_step("build", "x")
    assert replace(step, action=fails).key == step.key


def test_every_key_changes_with_the_artefact_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_step("build", "x").key
    monkeypatch.setattr("crosspi.work.plan.ARTEFACT_VERSION", 0)
    assert make_step("build", "x").key != before


def test_digests_of_data_ignore_the_order_of_mappings_only() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(["a", "b"]) != digest(["b", "a"])
    assert digest(["ab"]) != digest(["a", "b"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_text("x")
    return folder


def test_a_digest_of_files_changes_with_bytes_names_and_modes(tree: Path) -> None:
    seen = [digest_files(tree)]
    (tree / "inner" / "file").write_text("y")
    seen.append(digest_files(tree))
    (tree / "inner" / "file").chmod(0o755)
    seen.append(digest_files(tree))
    (tree / "inner" / "file").rename(tree / "inner" / "elif")
    seen.append(digest_files(tree))
    assert len(set(seen)) == 4


def test_a_digest_of_files_knows_no_times_places_or_caches(tree: Path, tmp_path: Path) -> None:
    before = digest_files(tree)
    os.utime(tree / "inner" / "file", (1, 1))
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "x.pyc").write_text("x")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert digest_files(tree.rename(elsewhere / "tree")) == before


# --- the graph ------------------------------------------------------------------------------------


def test_each_step_comes_once_and_after_what_it_needs(log: Log) -> None:
    a, _, c = chain(log)
    other = make_step("audit", "d", needs=[c, a])
    assert [s.subject for s in closure([other, c])] == ["a", "b", "c", "d"]


def test_two_steps_of_one_name_are_told_apart_at_planning(store: Store, log: Log) -> None:
    one, other = (
        make_step("compile", "x", inputs={"recipe": v, "flags": "1"}, action=log.action(v))
        for v in ("1", "2")
    )
    goals = [make_step("build", f"b{n}", needs=[s]) for n, s in enumerate((one, other))]
    for planning in (closure, partial(pending, store=store), partial(run, store=store)):
        with pytest.raises(DataError, match="one name: compile:x") as caught:
            planning(goals)
        assert caught.value.where == "flags 1, recipe 1\nflags 1, recipe 2"
        assert caught.value.why == "they differ in: recipe"
    assert log.ran == []


def test_the_first_time_everything_runs(store: Store, log: Log) -> None:
    steps = chain(log)
    assert reasons([steps[2]], store) == dict.fromkeys("abc", "never built")
    assert states(run([steps[2]], store)) == dict.fromkeys("abc", State.BUILT)
    assert log.ran == ["a", "b", "c"]


def test_the_second_time_nothing_runs(store: Store, log: Log) -> None:
    goal = chain(log)[2]
    run([goal], store)
    log.ran.clear()
    assert pending([goal], store) == []
    assert states(run([goal], store)) == {"c": State.STORED}
    assert log.ran == []


def test_a_changed_input_is_named_as_the_reason(store: Store, log: Log) -> None:
    run([chain(log)[2]], store)
    changed = chain(log, first="2")
    assert reasons([changed[2]], store) == {
        "a": "changed: flags",
        "b": "changed: compile:a",
        "c": "changed: build:b",
    }


def test_a_reason_compares_with_what_was_used_last(store: Store) -> None:
    for version in ("1", "2", "1"):  # the third time it is taken from the store
        run([make_step(inputs={"flags": version, "sources": version})], store)
    new = make_step(inputs={"flags": "3", "sources": "1"})
    assert reasons([new], store) == {"x": "changed: flags"}


def test_a_lost_input_and_a_new_one_are_reasons(store: Store) -> None:
    run([make_step(inputs={"old": "1"})], store)
    assert reasons([make_step(inputs={"new": "1"})], store) == {"x": "changed: new, old"}


def test_a_gone_result_is_a_reason(store: Store, log: Log) -> None:
    goal = chain(log)[2]
    (outcome,) = [o for o in run([goal], store) if o.step is goal]
    assert outcome.entry is not None
    store.discard(outcome.entry)
    log.ran.clear()
    assert reasons([goal], store) == {"c": "its stored result is gone or damaged"}
    run([goal], store)
    assert log.ran == ["c"]


def test_what_nobody_wants_is_not_made_again(store: Store, log: Log) -> None:
    a, b, c = chain(log)
    run([c], store)
    entry = store.find(a.kind, a.subject, a.key)
    assert entry is not None
    store.discard(entry)
    assert reasons([b, c], store) == {}


def test_force_runs_every_stored_step_again(store: Store, log: Log) -> None:
    goal = chain(log)[2]
    run([goal], store)
    log.ran.clear()
    assert reasons([goal], store, force=True) == dict.fromkeys("abc", "forced")
    assert states(run([goal], store, force=True)) == dict.fromkeys("abc", State.BUILT)
    assert log.ran == ["a", "b", "c"]


@pytest.mark.parametrize("force", [False, True])
def test_a_step_knows_that_it_is_forced(store: Store, force: bool) -> None:
    """What it remembers elsewhere is not to count then."""
    seen: list[bool] = []
    run([make_step("audit", "a", action=lambda work: seen.append(work.forced))], store, force=force)
    assert seen == [force]


def test_what_lives_outside_the_store_is_asked_for_itself(store: Store, log: Log) -> None:
    here = False
    image = make_step("image", "i", action=log.action("i"), present=lambda: here)
    goal = make_step("build", "g", needs=[image], action=log.action("g"))
    assert reasons([goal], store) == {"i": "not here yet", "g": "never built"}
    assert states(run([goal], store)) == {"i": State.BUILT, "g": State.BUILT}
    here = True
    other = make_step("build", "o", needs=[image], action=log.action("o"))
    log.ran.clear()
    run([other], store, force=True)
    assert log.ran == ["o"]


def test_an_absent_image_is_not_made_for_a_stored_result(store: Store, log: Log) -> None:
    image = make_step("image", "i", action=log.action("i"), present=lambda: False)
    goal = make_step("build", "g", needs=[image], action=log.action("g"))
    run([goal], store)
    log.ran.clear()
    run([goal], store)
    assert log.ran == []


# --- running --------------------------------------------------------------------------------------


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
