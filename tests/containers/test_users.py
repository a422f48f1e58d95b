"""Whom containers run as, and what that user can read."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from crosspi.containers.users import can_read, container_user, copy_readable, readable

OTHER = 4711  # nobody here has this number


def test_containers_never_run_as_root() -> None:
    assert container_user() == ((os.getuid(), os.getgid()) if os.getuid() else (1000, 1000))
    assert 0 not in container_user()


def made(root: Path, folder: int = 0o755, file: int = 0o644) -> Path:
    top = root / "top"
    (top / "d").mkdir(parents=True)
    (top / "d" / "file").write_text("x")
    (top / "d" / "link").symlink_to("/nonexistent")
    (top / "d" / "file").chmod(file)
    (top / "d").chmod(folder)
    top.chmod(0o755)
    return top


@pytest.mark.parametrize(
    ("folder", "file", "others", "group"),
    [
        (0o755, 0o644, True, True),
        (0o755, 0o640, False, True),
        (0o750, 0o640, False, True),
        (0o700, 0o644, False, False),
        (0o755, 0o600, False, False),
        (0o754, 0o644, False, True),
        (0o751, 0o644, False, True),
    ],
)
def test_who_can_read_a_tree(
    tmp_path: Path, folder: int, file: int, others: bool, group: bool
) -> None:
    top = made(tmp_path, folder, file)
    assert can_read(top, OTHER, OTHER) is others
    assert can_read(top, OTHER, top.stat().st_gid) is group
    assert can_read(top, top.stat().st_uid, OTHER)


def test_the_folders_above_do_not_matter(tmp_path: Path) -> None:
    top = made(tmp_path / "closed")
    (tmp_path / "closed").chmod(0o700)
    assert can_read(top, OTHER, OTHER)


def test_a_single_file(tmp_path: Path) -> None:
    file = made(tmp_path, file=0o600) / "d" / "file"
    assert not can_read(file, OTHER, OTHER)
    assert can_read(copy_readable(file, tmp_path / "copy"), OTHER, OTHER)


def test_a_copy_is_the_same_but_for_who_may_read_it(tmp_path: Path) -> None:
    top = made(tmp_path, 0o700, 0o700)
    os.utime(top / "d" / "file", (7, 7))
    copy = copy_readable(top, tmp_path / "copy")
    assert can_read(copy, OTHER, OTHER)
    assert (copy / "d" / "file").stat().st_mode & 0o777 == 0o755
    assert (copy / "d" / "file").stat().st_mtime == 7
    assert (copy / "d" / "link").readlink() == Path("/nonexistent")
    assert (top / "d").stat().st_mode & 0o777 == 0o700


def test_only_what_cannot_be_read_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosspi.containers.users.container_user", lambda: (OTHER, OTHER))
    fine, closed = made(tmp_path / "1"), made(tmp_path / "2", file=0o600)
    with ExitStack() as stack:
        assert readable(fine, stack) == fine
        assert readable(tmp_path / "none", stack) == tmp_path / "none"
        copy = readable(closed, stack)
        assert copy != closed
        assert (copy / "d" / "file").read_text() == "x"
    assert not copy.exists()
