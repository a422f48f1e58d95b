"""Linking test programs as anybody would: with what pkg-config says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crosspi.guests.link_programs import flags, main

NOTES = '#!/bin/sh\necho "$(basename "$0") $*" >> {log}\n{more}\n'


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the compilers and pkg-config, which note how they are called."""
    path = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    for name, more in {
        "cross-cc": "",
        "cross-c++": "exit 3",
        "pkg-config": "echo '-I/need/a/include -L\"/need/a b/lib\" -la'",
    }.items():
        program = tmp_path / "bin" / name
        program.write_text(NOTES.format(log=path, more=more))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return path


def prefix_of(root: Path, *packages: str) -> Path:
    for package in packages:
        path = root / "prefix" / package
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root / "prefix"


def test_all_packages_of_a_prefix_are_asked_for(tmp_path: Path, log: Path) -> None:
    prefix = prefix_of(tmp_path, "lib/pkgconfig/b.pc", "share/pkgconfig/a.pc")
    assert flags(prefix) == ["-I/need/a/include", "-L/need/a b/lib", "-la"]
    assert log.read_text() == "pkg-config --static --cflags --libs a b\n"


def test_a_prefix_without_pkg_config_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no file of pkg-config in"):
        flags(tmp_path)


def test_each_file_is_a_program_and_a_failure_ends_it(tmp_path: Path, log: Path) -> None:
    prefix = prefix_of(tmp_path, "lib/pkgconfig/a.pc")
    sources = tmp_path / "smoke"
    sources.mkdir()
    for name in ("one.c", "data.txt"):
        (sources / name).touch()
    assert main(sources, prefix, tmp_path) == 0
    compiled = [line for line in log.read_text().splitlines() if line.startswith("cross")]
    assert len(compiled) == 1
    assert f"{sources}/one.c -o {tmp_path}/one -I/need" in compiled[0]
    (sources / "a.cc").touch()
    assert main(sources, prefix, tmp_path) == 3
