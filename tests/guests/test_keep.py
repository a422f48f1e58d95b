"""Keeping of a build what later steps need."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosspi.guests.keep import main


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build folder."""
    folder = tmp_path / "build"
    for name in ("liba.a", "deps/libb.a", "deps/b.o", "gen/config.h", "build.ninja"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "liba.a.1").symlink_to("liba.a")
    return folder


def left(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_what_matches_is_kept_under_its_name(tmp_path: Path, build: Path) -> None:
    out = tmp_path / "out"
    assert main(build, out, ["**/*.a", "gen/*.h"]) == 0
    assert left(out) == {"liba.a", "deps/libb.a", "gen/config.h"}


def test_a_link_becomes_the_file_that_it_means(tmp_path: Path, build: Path) -> None:
    assert main(build, tmp_path / "out", ["*.a.1"]) == 0
    assert not (tmp_path / "out" / "liba.a.1").is_symlink()


def test_a_pattern_that_matches_nothing_fails_and_says_what_is_there(
    tmp_path: Path, build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(build, tmp_path / "out", ["*.so", "*.a", "inc/*"]) == 1
    said = capsys.readouterr().out
    assert "keep: '*.so' matches no file; there is: build.ninja deps/ gen/ liba.a" in said
    assert "files by their endings: 2 × .a" in said
    assert "keep: 'inc/*' matches no file" in said
