"""Packing an archive: the same bytes every time, one top folder, links and modes."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from crosspi.guests.pack_archive import main

TOP = "lib-1.2-linux_toyl"


@pytest.fixture(autouse=True)
def _date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "315532800")


def packed(root: Path, names: list[str]) -> Path:
    """An archive of a tree whose files were made in this order."""
    for name in names:
        path = root / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "tree" / "bin" / "run").chmod(0o700)
    (root / "tree" / "lib" / "liba.so").symlink_to("liba.so.1")
    (root / "licenses" / "lib").mkdir(parents=True)
    (root / "licenses" / "lib" / "LICENSE").write_text("MIT")
    out = root / "out.tar.gz"
    main(str(root / "tree"), str(root / "licenses"), TOP, str(out))
    return out


NAMES = ["bin/run", "lib/liba.so.1", "include/a.h"]


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    one = packed(tmp_path / "one", NAMES)
    other = packed(tmp_path / "other", NAMES[::-1])
    os.utime(tmp_path / "other" / "tree" / "bin" / "run", (1, 1))
    assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def test_there_is_one_top_folder_with_all_in_it(tmp_path: Path) -> None:
    with tarfile.open(packed(tmp_path, NAMES)) as archive:
        found = {member.name: member for member in archive}
    assert next(iter(found)) == TOP
    assert all(name.split("/")[0] == TOP for name in found)
    assert found[f"{TOP}/licenses/lib/LICENSE"].mode == 0o644
    assert found[f"{TOP}/bin/run"].mode == 0o755
    assert found[f"{TOP}/lib/liba.so"].linkname == "liba.so.1"
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in found.values()} == {(0, 0, "", 315532800)}
