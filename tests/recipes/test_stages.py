"""What the build scripts of parts share: dockerfiles/armv6/stages.sh."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from standins import write_programs

STAGES = Path(__file__).parents[2] / "dockerfiles" / "armv6" / "stages.sh"


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    programs = folder / "programs"
    programs.mkdir()
    write_programs(programs)
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; . {STAGES}; {script}"],
        cwd=folder,
        env={"PATH": f"{programs}:/usr/bin:/bin", "BUILD": str(folder), **environment},
        capture_output=True,
        text=True,
    )


def cpython(folder: Path) -> Path:
    """A source tree with tests in three places."""
    for name in ("configure", "Lib/os.py", "Lib/test/a.py", "Lib/json/tests/b.py", "Lib/json/c.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o444)
    return folder


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("archived", [False, True])
def test_sources_are_a_tree_or_the_archive_of_one(tmp_path: Path, archived: bool) -> None:
    tree = cpython(tmp_path / "Python-3.5.10")
    source = tree
    if archived:
        source = tmp_path / "source"
        source.mkdir()
        with tarfile.open(source / "Python-3.5.10.tar.xz", "w:xz") as archive:
            archive.add(tree, arcname="Python-3.5.10")
    script = f"cpython_sources {source} $BUILD/copy; echo more >> $BUILD/copy/configure"
    done = bash(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "copy") == files(tree)


def test_tests_are_moved_to_the_same_places(tmp_path: Path) -> None:
    tree = cpython(tmp_path / "tree")
    done = bash(f"cpython_tests {tree}/Lib $BUILD/out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert files(tree) == {"configure", "Lib/os.py", "Lib/json/c.py"}
    assert files(tmp_path / "out") == {"test/a.py", "json/tests/b.py"}


def test_a_failing_stage_shows_the_end_of_its_log(tmp_path: Path) -> None:
    script = "good() { echo fine; }; bad() { echo broken; false; }; stages good bad"
    done = bash(script, tmp_path)
    assert done.returncode != 0
    assert "broken" in done.stdout
    assert "fine" not in done.stdout
    assert (tmp_path / "log-good.txt").read_text() == "fine\n"


def test_only_some_stages(tmp_path: Path) -> None:
    script = "one() { touch $BUILD/1; }; two() { touch $BUILD/2; }; stages one two"
    assert bash(script, tmp_path, STAGES="two").returncode == 0
    assert not (tmp_path / "1").exists()
    assert (tmp_path / "2").exists()
