"""Caches: marked where crosspi made them, and never removed in use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from projects import ask, project_at

from crosspi.caches import OF_SETUP, TAG, alone, in_use, is_ours, make_cache, remove
from crosspi.errors import DiskFullError, StoreError
from crosspi.graph import Graph
from crosspi.run import build
from crosspi.work.plan import pending
from crosspi.work.store import Store

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_is_made_or_empty_is_marked(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "a" / "store"
    if there:
        folder.mkdir(parents=True)
    make_cache(folder)
    make_cache(folder)
    assert is_ours(folder)
    assert not is_ours(folder.parent)
    # As the specification wants it: backup programs read the first bytes.
    assert (folder / TAG).read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


def test_a_folder_of_somebody_else_is_not_marked(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    make_cache(tmp_path)
    make_cache(tmp_path, known=OF_SETUP)
    assert not is_ours(tmp_path)


def test_what_inv_left_is_not_somebody_elses(tmp_path: Path) -> None:
    for name in OF_SETUP:
        (tmp_path / name).write_text("")
    make_cache(tmp_path)
    assert not is_ours(tmp_path)
    make_cache(tmp_path, known=OF_SETUP)
    assert is_ours(tmp_path)


@pytest.mark.parametrize("text", [b"", b"Signature: 8a477f597d28d172789f06886806bc55\n", b"\xff"])
def test_the_mark_of_another_program_does_not_count(tmp_path: Path, text: bytes) -> None:
    (tmp_path / TAG).write_bytes(text)
    make_cache(tmp_path)
    assert not is_ours(tmp_path)


def test_a_cache_that_is_a_link_loses_only_the_link(tmp_path: Path) -> None:
    make_cache(tmp_path / "shared")
    (tmp_path / "sources").symlink_to("shared")
    remove(tmp_path / "sources")
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]
    assert is_ours(tmp_path / "shared")
    remove(tmp_path / "shared")
    remove(tmp_path / "shared")
    assert list(tmp_path.iterdir()) == []


def test_many_use_a_cache_and_one_removes_it(tmp_path: Path) -> None:
    others = (in_use(tmp_path), in_use(tmp_path))
    refused = pytest.raises(StoreError, match="another crosspi")
    with others[0], others[1], refused, alone(tmp_path):
        pytest.fail("it was in use")
    with alone(tmp_path):
        pass


def test_another_process_counts_and_a_killed_one_does_not(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, crosspi.caches as c\n"
        "with c.in_use(pathlib.Path(sys.argv[1])): print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StoreError), alone(tmp_path):
            pytest.fail("it was in use")
        other.kill()
        other.wait()
        with alone(tmp_path):
            pass


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used") as caught, in_use(tmp_path / "file"):
        pytest.fail("there is none")
    assert "CROSSPI_CACHE" in caught.value.fix


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(DiskFullError), in_use(tmp_path / "x"):
        pytest.fail("there is none")


@pytest.mark.parametrize("planned", [False, True])
def test_all_that_a_build_makes_in_the_cache_is_marked(checkout: Path, planned: bool) -> None:
    """Whatever writes there first: or `clean` would refuse its own folders."""
    project = project_at(checkout)
    wheels = Graph(project).products(ask(project))
    if planned:
        pending([step for wheel in wheels for step in wheel.goals], project.store)
    assert not build(project, ask(project)).errors
    made = [path for path in project.paths.cache.iterdir() if path.is_dir()]
    assert {path.name for path in made} >= {"store", "logs", "ccache", "zig"}
    assert [path.name for path in made if not is_ours(path)] == []


def test_a_note_in_a_store_marks_it(tmp_path: Path) -> None:
    Store(tmp_path / "store").remember("build", "x", {"a": "b"})
    assert is_ours(tmp_path / "store")
