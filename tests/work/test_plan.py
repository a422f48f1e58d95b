"""Steps: their keys, what must run and why."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from making import make_step
from stepping import Log, chain, fails, reasons, run, states

from crosspi.digests import digest, digest_files
from crosspi.errors import DataError
from crosspi.work.plan import State, Step, closure, pending
from crosspi.work.store import Store


@pytest.fixture
def log() -> Log:
    return Log()


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
