"""What other machines published, taken into one index."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from making import a_manifest, tiny_wheel

from crosspi.errors import StoreError, UsageError
from crosspi.index.gathering import gather
from crosspi.index.publishing import listing, manifest_of, publish, withdraw


def machine(folder: Path, version: str = "1.0", **files: str) -> Path:
    """A folder that a machine published one wheel into."""
    built = tiny_wheel(folder / "built", version=version, **files)
    digest = hashlib.sha256(built.read_bytes()).hexdigest()
    board = {"outcome": "passed", "sha256": digest}
    audit = {"ok": True, "sha256": digest}
    publish(folder / "dist", built, a_manifest(built), audit, {"toy1": board})
    return folder / "dist"


def names(dist: Path) -> list[str]:
    return [path.name for path in listing(dist).wheels]


def test_all_that_is_listed_is_taken_once(tmp_path: Path) -> None:
    one, two = machine(tmp_path / "a"), machine(tmp_path / "b", "2.0")
    index = tmp_path / "in dex"
    first = gather(index, [one, two])
    assert first.new == names(index) == ["tiny-1.0-py3-none-any.whl", "tiny-2.0-py3-none-any.whl"]
    assert "tiny-2.0" in (index / "simple" / "tiny" / "index.html").read_text()
    before = {path: path.stat().st_mtime_ns for path in index.glob("*.whl")}
    again = gather(index, [one, two])
    assert (again.new, again.known) == ([], first.new)
    assert before == {path: path.stat().st_mtime_ns for path in index.glob("*.whl")}


def test_two_machines_that_made_the_same_are_good(tmp_path: Path) -> None:
    gathered = gather(tmp_path / "index", [machine(tmp_path / "a"), machine(tmp_path / "b")])
    assert gathered.new == ["tiny-1.0-py3-none-any.whl"]


def test_two_machines_that_made_other_bytes_are_told(tmp_path: Path) -> None:
    gather(tmp_path / "index", [machine(tmp_path / "a")])
    other = machine(tmp_path / "b", requires_python=">=3.8")
    with pytest.raises(StoreError, match="published already, with other bytes"):
        gather(tmp_path / "index", [other])
    assert names(tmp_path / "index") == ["tiny-1.0-py3-none-any.whl"]


def test_even_in_one_command(tmp_path: Path) -> None:
    folders = [machine(tmp_path / "a"), machine(tmp_path / "b", requires_python=">=3.8")]
    with pytest.raises(StoreError, match="other bytes"):
        gather(tmp_path / "index", folders)


def test_a_changed_file_is_not_taken_nor_anything_with_it(tmp_path: Path) -> None:
    good, changed = machine(tmp_path / "a", "2.0"), machine(tmp_path / "b")
    (wheel,) = changed.glob("*.whl")
    data = bytearray(wheel.read_bytes())
    data[-1] ^= 1
    wheel.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="is not the file that its manifest is about"):
        gather(tmp_path / "index", [good, changed])
    assert not (tmp_path / "index").exists()


def test_what_was_put_there_by_hand_or_withdrawn_is_not_taken(tmp_path: Path) -> None:
    folder = machine(tmp_path / "a")
    tiny_wheel(folder, version="9.0")
    (bad,) = machine(tmp_path / "b", "3.0").glob("*.whl")
    withdraw(bad.parent, bad, "it broke")
    gathered = gather(tmp_path / "index", [folder])
    assert gathered.new == ["tiny-1.0-py3-none-any.whl"]
    with pytest.raises(UsageError, match="nothing is published in"):
        gather(tmp_path / "index", [bad.parent])


def test_a_withdrawn_file_comes_back_with_a_new_proof(tmp_path: Path) -> None:
    folder, index = machine(tmp_path / "a"), tmp_path / "index"
    gather(index, [folder])
    (wheel,) = index.glob("*.whl")
    withdraw(index, wheel, "it broke")
    assert names(index) == []
    assert gather(index, [folder]).new == names(index) == [wheel.name]


def test_all_folders_that_are_wrong_are_told_at_once(tmp_path: Path) -> None:
    index = machine(tmp_path / "a")
    with pytest.raises(UsageError) as caught:
        gather(index, [tmp_path / "nowhere", index])
    assert "there is no folder" in str(caught.value)
    assert "is the index itself" in str(caught.value)


def test_killed_it_leaves_whole_files_and_goes_on(tmp_path: Path) -> None:
    """Killed where the second file is half copied: the first is whole, and the next run goes on."""
    folders = [machine(tmp_path / "a"), machine(tmp_path / "b", "2.0")]
    script = (
        "import os, shutil, sys\n"
        "from pathlib import Path\n"
        "from crosspi.index import gathering\n"
        "def copy(source, target):\n"
        "    if '2.0' in str(source):\n"
        "        target.write_bytes(b'half')\n"
        "        os._exit(9)\n"
        "    target.write_bytes(source.read_bytes())\n"
        "gathering.shutil.copyfile = copy\n"
        "gathering.gather(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])\n"
    )
    index = tmp_path / "index"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(index), *map(str, folders)]
    assert subprocess.run(command, env=environment).returncode == 9
    assert names(index) == ["tiny-1.0-py3-none-any.whl"]
    assert not (index / "tiny-2.0-py3-none-any.whl").exists()
    assert gather(index, folders).new == ["tiny-2.0-py3-none-any.whl"]
    assert manifest_of(index / "tiny-2.0-py3-none-any.whl").is_file()
    assert not list(index.glob(".*.part"))
