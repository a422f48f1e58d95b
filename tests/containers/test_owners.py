"""Who made a container: no live process of anybody is taken for a dead one."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from crosspi.containers.owners import Owner


def dead() -> Owner:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    owner = Owner.of(process.pid)
    process.communicate()
    return owner


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with one process, the 42nd, whose name makes its line hard to read."""
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("b00t\n")
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to("pid:[4026531836]")
    (tmp_path / "42").mkdir()
    fields = " ".join(str(n) for n in range(4, 53))
    (tmp_path / "42" / "stat").write_text(f"42 (a ) S 1 (x) S {fields}\n")
    return tmp_path


def test_an_owner_is_read_as_it_was_written(proc: Path) -> None:
    owner = Owner.of(42, proc)
    assert str(owner) == "b00t/4026531836/42/22"
    assert Owner.parse(str(owner)) == owner


@pytest.mark.parametrize("label", ["", "image", "copy", "host:1", "a/b/c/d", "a/b/1"])
def test_other_labels_are_no_owners(label: str) -> None:
    assert Owner.parse(label) is None


def test_a_process_that_runs_is_not_gone() -> None:
    assert Owner.of(os.getpid()).is_gone() is False
    assert Owner.of(os.getpid()).started != "-"


def test_a_process_that_ended_is_gone() -> None:
    assert dead().is_gone() is True


def test_a_number_that_another_process_has_now_is_no_life(proc: Path) -> None:
    assert replace(Owner.of(42, proc), started="7").is_gone(proc) is True


@pytest.mark.parametrize("other", [{"boot": "other"}, {"namespace": "4026532281"}])
def test_what_cannot_be_seen_from_here_is_not_known(proc: Path, other: dict[str, str]) -> None:
    """Another machine, or a container with the same host name and a process of the same number."""
    assert replace(Owner.of(43, proc), **other).is_gone(proc) is None


def test_without_a_proc_nothing_is_known(tmp_path: Path) -> None:
    assert Owner.of(1, tmp_path).is_gone(tmp_path) is None
