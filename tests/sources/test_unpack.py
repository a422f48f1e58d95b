from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crosspi.errors import ArchiveError, DiskFullError
from crosspi.sources import writer
from crosspi.sources.unpack import unpack
from crosspi.sources.writer import Limits
from sources import archives
from sources.archives import member

FILES = {"p-1/a.c": b"a", "p-1/d/b.c": b"b", "p-1/d/e/c.h": b"c"}


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars_of_all_compressions(tmp_path: Path, mode: str) -> None:
    archives.tar(tmp_path / "a", FILES, mode)
    assert unpack(tmp_path / "a", tmp_path / "t") == 3
    assert tree(tmp_path / "t") == {"a.c": b"a", "d/b.c": b"b", "d/e/c.h": b"c"}


def test_a_zip(tmp_path: Path) -> None:
    archives.zipped(tmp_path / "a.whl", FILES)
    unpack(tmp_path / "a.whl", tmp_path / "t")
    assert tree(tmp_path / "t") == {"a.c": b"a", "d/b.c": b"b", "d/e/c.h": b"c"}


def test_strip_auto_keeps_an_archive_without_a_top_folder(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", {"p/a": b"a", "./q": b"q"})
    unpack(tmp_path / "a", tmp_path / "t")
    assert tree(tmp_path / "t") == {"p/a": b"a", "q": b"q"}


def test_strip_0_keeps_the_top_folder(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", {"p/a": b"a"})
    unpack(tmp_path / "a", tmp_path / "t", strip=0)
    assert tree(tmp_path / "t") == {"p/a": b"a"}


def test_strip_1_drops_different_top_folders(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", {"p/a": b"a", "q/b": b"b"})
    unpack(tmp_path / "a", tmp_path / "t", strip=1)
    assert tree(tmp_path / "t") == {"a": b"a", "b": b"b"}


def test_subdir_include_exclude(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", FILES | {"p-1/d/e/x.c": b"x"})
    unpack(tmp_path / "a", tmp_path / "t", subdir="d", include=["e/**"], exclude=["**/*.c"])
    assert tree(tmp_path / "t") == {"e/c.h": b"c"}


def test_a_folder_is_copied_without_git(tmp_path: Path) -> None:
    (tmp_path / "f" / ".git").mkdir(parents=True)
    (tmp_path / "f" / ".git" / "x").write_text("x")
    (tmp_path / "f" / "y").write_text("y")
    unpack(tmp_path / "f", tmp_path / "t")
    assert tree(tmp_path / "t") == {"y": b"y"}


def test_modes(tmp_path: Path) -> None:
    members = [(member("p/x", mode=0o6711), b""), (member("p/y", mode=0o666), b"")]
    archives.tar(tmp_path / "a", members)
    unpack(tmp_path / "a", tmp_path / "t")
    assert (tmp_path / "t" / "x").stat().st_mode == 0o100755
    assert (tmp_path / "t" / "y").stat().st_mode == 0o100644
    assert (tmp_path / "t").stat().st_mode == 0o40755


def test_times_are_all_the_same_whatever_the_origin_says(tmp_path: Path) -> None:
    """The pin does not know times, and build systems go by them."""
    members = [
        (member("p/configure", mtime=-5), b""),
        (member("p/configure.ac", mtime=2**40), b""),
        (member("p/l", tarfile.SYMTYPE, linkname="configure"), b""),
    ]
    archives.tar(tmp_path / "tar", members)
    archives.zipped(tmp_path / "zip", {"p/configure": b"", "p/configure.ac": b""})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "configure").write_text("")
    for origin in ("tar", "zip", "folder"):
        unpack(tmp_path / origin, tmp_path / "t" / origin)
        files = [*(tmp_path / "t" / origin).iterdir()]
        assert {path.lstat().st_mtime for path in files} == {writer.TIME}


def test_links_inside_are_kept_and_hard_links_copied(tmp_path: Path) -> None:
    members = [
        (member("p/d/f"), b"f"),
        (member("p/l", tarfile.SYMTYPE, linkname="d/../d/f"), b""),
        (member("p/d/h", tarfile.LNKTYPE, linkname="p/d/f"), b""),
    ]
    archives.tar(tmp_path / "a", members)
    unpack(tmp_path / "a", tmp_path / "t")
    assert (tmp_path / "t" / "l").readlink() == Path("d/../d/f")
    assert (tmp_path / "t" / "d" / "h").read_bytes() == b"f"
    assert (tmp_path / "t" / "d" / "h").stat().st_nlink == 1


# --- refusals ----------------------------------------------------------------------------

link = tarfile.SYMTYPE
HOSTILE = {
    "absolute": ([(member("/etc/x"), b"")], "absolute"),
    "climbs": ([(member("p/../../x"), b"")], "climbs"),
    "climbs within": ([(member("p/a/../x"), b"")], "climbs"),
    "absolute link": ([(member("p/l", link, linkname="/etc/passwd"), b"")], "outside"),
    "climbing link": ([(member("p/l", link, linkname="../x"), b"")], "outside"),
    "link by way of a link": (
        [
            (member("p/d/f"), b""),
            (member("p/a", link, linkname="."), b""),
            (member("p/d/b", link, linkname="../a/.."), b""),
        ],
        "outside",
    ),
    "through a link": (
        [(member("p/l", link, linkname="d"), b""), (member("p/l/x"), b"")],
        "lies below",
    ),
    "below a file": ([(member("p/f"), b""), (member("p/f/x"), b"")], "lies below"),
    "twice": ([(member("p/f"), b""), (member("p/./f"), b"")], "taken"),
    "link over a file": (
        [(member("p/f"), b""), (member("p/f", link, linkname="g"), b"")],
        "taken",
    ),
    "hard link to nothing": (
        [(member("p/h", tarfile.LNKTYPE, linkname="p/none"), b"")],
        "hard link",
    ),
    "hard link outside": (
        [(member("p/h", tarfile.LNKTYPE, linkname="/etc/passwd"), b"")],
        "hard link",
    ),
    "hard link to a link": (
        [
            (member("p/l", link, linkname="f"), b""),
            (member("p/h", tarfile.LNKTYPE, linkname="p/l"), b""),
        ],
        "hard link",
    ),
    "device": ([(member("p/d", tarfile.CHRTYPE), b"")], "device"),
    "named pipe": ([(member("p/d", tarfile.FIFOTYPE), b"")], "named pipe"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_tar_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    members, why = HOSTILE[name]
    archives.tar(tmp_path / "a", members)
    with pytest.raises(ArchiveError) as caught:
        unpack(tmp_path / "a", tmp_path / "out" / "t", strip=1)
    assert why in caught.value.why
    assert repr(members[-1][0].name) in caught.value.where
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["/x", "../x", "a/../../x"])
def test_a_hostile_zip_is_refused(tmp_path: Path, name: str) -> None:
    archives.zipped(tmp_path / "a", {name: b""})
    with pytest.raises(ArchiveError, match="refused"):
        unpack(tmp_path / "a", tmp_path / "t", strip=0)


@pytest.mark.parametrize(("mode", "why"), [(0o120777, "outside"), (0o020666, "device")])
def test_a_hostile_kind_in_a_zip_is_refused(tmp_path: Path, mode: int, why: str) -> None:
    info = zipfile.ZipInfo("x")
    info.create_system = 3
    info.external_attr = mode << 16
    archives.zipped(tmp_path / "a", [(info, b"/etc/passwd")])
    with pytest.raises(ArchiveError) as caught:
        unpack(tmp_path / "a", tmp_path / "t")
    assert why in caught.value.why


SMALL = Limits(total_bytes=1000, files=5, ratio=10, ratio_floor=20_000)


def test_too_many_bytes(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", {"p/a": bytes(600), "p/b": bytes(600)})
    with pytest.raises(ArchiveError) as caught:
        unpack(tmp_path / "a", tmp_path / "t", limits=SMALL)
    assert "more than 1000 bytes" in caught.value.why


def test_members_that_are_not_selected_do_not_count(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", {"p/a": bytes(600), "p/b": bytes(600)})
    unpack(tmp_path / "a", tmp_path / "t", limits=SMALL, exclude=["a"])


def test_too_many_files(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", {f"p/{n}": b"" for n in range(9)})
    with pytest.raises(ArchiveError) as caught:
        unpack(tmp_path / "a", tmp_path / "t", limits=SMALL)
    assert "more than 5 files" in caught.value.why


@pytest.mark.parametrize("make", [archives.tar, archives.zipped])
def test_a_bomb(tmp_path: Path, make: Callable[..., Path]) -> None:
    make(tmp_path / "a", {"p/a": bytes(1_000_000)})
    with pytest.raises(ArchiveError) as caught:
        unpack(tmp_path / "a", tmp_path / "t", limits=Limits(ratio=10, ratio_floor=20_000))
    assert "a bomb" in caught.value.why


def test_a_bomb_in_a_tar_header(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", [(member("p/" + "x" * 2_000_000), b"")])
    with pytest.raises(ArchiveError) as caught:
        unpack(tmp_path / "a", tmp_path / "t")
    assert "tar header of" in caught.value.why


# --- damage ------------------------------------------------------------------------------

BIG = {f"p/{n}": os.urandom(3000) for n in range(9)}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("part", [0.02, 0.4, 0.75])
def test_a_cut_off_tar(tmp_path: Path, mode: str, part: float) -> None:
    data = archives.tar(tmp_path / "a", BIG, mode).read_bytes()
    (tmp_path / "a").write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ArchiveError, match="cut off or corrupt"):
        unpack(tmp_path / "a", tmp_path / "out" / "t")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tar_cut_off_between_two_members(tmp_path: Path) -> None:
    data = archives.tar(tmp_path / "a", {"p/a": b"a", "p/b": b"b"}, "w").read_bytes()
    (tmp_path / "a").write_bytes(data[:1024])
    with pytest.raises(ArchiveError, match="cut off"):
        unpack(tmp_path / "a", tmp_path / "t")


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    data = bytearray(archives.tar(tmp_path / "a", {"p/a": b"a", "p/b": b"b"}, "w").read_bytes())
    data[1024 + 3] ^= 0xFF
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ArchiveError, match="corrupt"):
        unpack(tmp_path / "a", tmp_path / "t")


def test_the_checksum_at_the_very_end_is_checked(tmp_path: Path) -> None:
    data = bytearray(archives.tar(tmp_path / "a", FILES).read_bytes())
    data[-6] ^= 0xFF
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ArchiveError, match="corrupt"):
        unpack(tmp_path / "a", tmp_path / "t")


def test_a_damaged_zip_member(tmp_path: Path) -> None:
    archives.zipped(tmp_path / "a", {"p/a": os.urandom(500)})
    data = bytearray((tmp_path / "a").read_bytes())
    data[100] ^= 0xFF
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ArchiveError, match="corrupt"):
        unpack(tmp_path / "a", tmp_path / "t")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<html>no</html>", b"PK\3\4 cut", gzip.compress(b"no tar")]
)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ArchiveError, match="cut off or corrupt"):
        unpack(tmp_path / "a", tmp_path / "t")


def test_nothing_selected(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", FILES)
    with pytest.raises(ArchiveError, match="nothing in a is selected below 'x'") as caught:
        unpack(tmp_path / "a", tmp_path / "t", subdir="x")
    assert "a.c, d" in caught.value.why


def test_an_include_that_matches_nothing(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", FILES)
    with pytest.raises(ArchiveError, match="include pattern"):
        unpack(tmp_path / "a", tmp_path / "t", include=["a.c", "typo/**"])


def test_a_full_disk_leaves_nothing(
    tmp_path: Path, full_disk: Callable[[object, str], None]
) -> None:
    archives.tar(tmp_path / "a", FILES)
    full_disk(writer.os, "fchmod")
    with pytest.raises(DiskFullError):
        unpack(tmp_path / "a", tmp_path / "out" / "t")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    archives.tar(tmp_path / "a", {"p/" + "x" * 300: b""})
    with pytest.raises(ArchiveError, match="cannot store"):
        unpack(tmp_path / "a", tmp_path / "t")
