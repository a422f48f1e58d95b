"""The store: whole entries or none."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from crosspi.errors import StoreError
from crosspi.work.store import Cost, Entry, Store, write_json

STEP = ("build", "x", "k" * 64)


def put(store: Store, text: str = "bytes", key: str = STEP[2]) -> Entry:
    with store.draft(*STEP[:2], key) as draft:
        (draft.out / "folder").mkdir()
        (draft.out / "folder" / "file").write_text(text)
        (draft.out / "link").symlink_to("folder/file")
        draft.notes["note"] = 1
        draft.cost = Cost(2.0, 1.0, 3, 4)
        return store.seal(draft, *STEP[:2], key, {"input": "i"})


def drafts(store: Store) -> list[Path]:
    return list((store.root / "drafts").glob("*"))


def test_what_was_sealed_is_found(store: Store) -> None:
    put(store)
    entry = store.find(*STEP)
    assert entry is not None
    assert (entry.out / "folder" / "file").read_text() == "bytes"
    assert entry.cost == Cost(2.0, 1.0, 3, 4)
    assert entry.notes == {"note": 1}
    assert entry.size == len("bytes") + len("folder/file")
    assert entry.manifest["inputs"] == {"input": "i"}
    assert store.damage(entry) == []


def test_nothing_is_found_under_another_key(store: Store) -> None:
    put(store)
    assert store.find("build", "x", "l" * 64) is None
    assert store.find("build", "y", STEP[2]) is None
    assert store.find("wheel", "x", STEP[2]) is None


def test_keys_that_begin_alike_are_told_apart(store: Store) -> None:
    put(store)
    assert store.find("build", "x", "k" * 63 + "l") is None


def test_an_entry_is_its_result_and_its_manifest(store: Store) -> None:
    with store.draft(*STEP) as draft:
        (draft.folder / "work").mkdir()
        (draft.folder / "work" / "big").write_text("x")
        (draft.folder / "note").write_text("x")
        entry = store.seal(draft, *STEP, {})
    assert sorted(p.name for p in entry.folder.iterdir()) == ["manifest.json", "out"]


def test_a_draft_that_is_not_sealed_is_removed(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.draft(*STEP) as draft:
        (draft.out / "half").write_text("x")
        raise KeyboardInterrupt
    assert drafts(store) == []
    assert store.find(*STEP) is None


def test_what_a_killed_run_left_is_removed(store: Store) -> None:
    left = store.root / "drafts" / f"build-x-{'k' * 16}" / "out"
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    with store.draft(*STEP) as draft:
        assert list(draft.out.iterdir()) == []


def test_an_entry_appears_only_when_it_is_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("crosspi.work.store.write_json", fail)
    with pytest.raises(OSError, match="Input/output"):
        put(store)
    assert store.find(*STEP) is None
    assert not (store.root / "build").exists()
    assert drafts(store) == []


def test_a_new_result_takes_the_place_of_the_old(store: Store) -> None:
    put(store, "old")
    put(store, "newer")
    entry = store.find(*STEP)
    assert entry is not None
    assert (entry.out / "folder" / "file").read_text() == "newer"


def test_a_changed_size_is_a_miss(store: Store) -> None:
    entry = put(store)
    (entry.out / "folder" / "file").write_text("longer bytes")
    assert store.find(*STEP) is None


def test_a_lost_file_is_a_miss(store: Store) -> None:
    entry = put(store)
    (entry.out / "link").unlink()
    assert store.find(*STEP) is None


def test_changed_bytes_of_the_same_size_are_damage(store: Store) -> None:
    entry = put(store)
    (entry.out / "folder" / "file").write_text("BYTES")
    found = store.find(*STEP)
    assert found is not None
    assert store.damage(found) == ["folder/file"]


def test_a_link_that_points_elsewhere_is_damage(store: Store) -> None:
    entry = put(store)
    (entry.out / "link").unlink()
    (entry.out / "link").symlink_to("folder/elif")
    assert store.damage(entry) == ["link"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"key": 1}', "null"])
def test_a_broken_manifest_is_a_miss(store: Store, text: str) -> None:
    entry = put(store)
    (entry.folder / "manifest.json").write_text(text)
    assert store.find(*STEP) is None


def test_an_entry_can_be_thrown_away(store: Store) -> None:
    store.discard(put(store))
    assert store.find(*STEP) is None


def test_a_result_that_cannot_be_read_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "find", lambda *_: None)
    with pytest.raises(StoreError, match="could not be read back"):
        put(store)


def trash(store: Store) -> list[Path]:
    return list((store.root / "trash").iterdir())


def test_what_is_read_is_set_aside_and_removed_later(store: Store) -> None:
    entry = put(store, "old")
    with store.reading(*STEP) as held:
        assert held is not None
        store.discard(held)
        assert store.find(*STEP) is None
        (aside,) = trash(store)
        assert (aside / "out" / "folder" / "file").read_text() == "old"
        put(store, "new")
        assert (aside / "out" / "folder" / "file").read_text() == "old"
        assert (entry.out / "folder" / "file").read_text() == "new"
        assert trash(store) == [aside]
    store.discard(entry)
    assert trash(store) == []


def test_a_reader_that_died_holds_nothing(store: Store) -> None:
    entry = put(store)
    ready_in, ready_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        with store.reading(*STEP):
            os.write(ready_out, b"r")
            signal.pause()
    os.read(ready_in, 1)
    store.discard(entry)
    assert len(trash(store)) == 1
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    store.discard(put(store))
    assert trash(store) == []


def test_what_went_away_is_not_read(store: Store) -> None:
    with store.reading(*STEP) as entry:
        assert entry is None
    store.discard(put(store))
    with store.reading(*STEP) as entry:
        assert entry is None


def test_the_last_inputs_are_remembered(store: Store) -> None:
    assert store.last_inputs("build", "x") is None
    put(store)
    assert store.last_inputs("build", "x") == {"input": "i"}
    (store.root / "last" / "build-x.json").write_text("{")
    assert store.last_inputs("build", "x") is None


def test_a_step_is_held_by_one_process(store: Store) -> None:
    """Another process holds the lock; it lets go when it hears that somebody waits."""
    ready_in, ready_out = os.pipe()
    go_in, go_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        with store.lock(*STEP, lambda: None):
            os.write(ready_out, b"r")
            os.read(go_in, 1)
            (store.root / "done").write_text("first")
        os._exit(0)
    os.read(ready_in, 1)
    waited: list[bool] = []

    def waiting() -> None:
        waited.append(True)
        os.write(go_out, b"g")

    with store.lock(*STEP, waiting):
        assert (store.root / "done").read_text() == "first"
    assert waited == [True]
    assert os.waitpid(pid, 0)[1] == 0


def test_steps_of_other_keys_do_not_wait(store: Store) -> None:
    def waiting() -> None:
        raise AssertionError

    with store.lock(*STEP, waiting), store.lock("build", "x", "l" * 64, waiting):
        pass


def test_json_is_written_by_rename(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1})
    write_json(path, {"b": 2})
    assert json.loads(path.read_text()) == {"b": 2}
    assert os.listdir(tmp_path) == ["a.json"]  # noqa: PTH208


def test_an_entry_is_found_wherever_the_store_is(store: Store, tmp_path: Path) -> None:
    put(store)
    shutil.move(store.root, tmp_path / "elsewhere")
    assert Store(tmp_path / "elsewhere").find(*STEP) is not None


def test_one_kind_of_results_may_be_shared(tmp_path: Path) -> None:
    """As the end-to-end tests do: a store of their own, and the parts of the user's."""
    theirs, ours = Store(tmp_path / "theirs"), Store(tmp_path / "ours")
    for name in ("build", "locks"):
        (theirs.root / name).mkdir(parents=True)
        ours.root.mkdir(exist_ok=True)
        (ours.root / name).symlink_to(theirs.root / name)
    put(ours)
    assert theirs.find(*STEP) is not None
    put(theirs, "newer")
    entry = ours.find(*STEP)
    assert entry is not None
    assert (entry.out / "folder" / "file").read_text() == "newer"
    put(ours, "newest")

    def waiting() -> None:
        raise InterruptedError

    with (
        ours.lock(*STEP, lambda: None),
        pytest.raises(InterruptedError),
        theirs.lock(*STEP, waiting),
    ):
        pass
