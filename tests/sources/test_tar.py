"""The tar reader: what it takes, held against `tarfile`; and that it takes nothing damaged."""

from __future__ import annotations

import ast
import io
import random
import tarfile
from pathlib import Path

import pytest

from crosspi.sources import tar
from sources.archives import member

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
Found = list[tuple[str, str, int, str, bytes]]


def archive(
    members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.GNU_FORMAT, **more: object
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, **more) as made:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Dribble(io.BytesIO):
    """A stream that gives less than it is asked for, as decompressors may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 100))


def found(data: bytes, stream: type[io.BytesIO] = io.BytesIO) -> Found:
    return [
        (m.name, m.kind, m.mode, m.target, b"".join(content))
        for m, content in tar.read(stream(data))
    ]


def by_tarfile(data: bytes) -> Found:
    kinds = {
        tarfile.REGTYPE: "file",
        tarfile.DIRTYPE: "folder",
        tarfile.SYMTYPE: "link",
        tarfile.LNKTYPE: "hard link",
        tarfile.FIFOTYPE: "other",
    }
    with tarfile.open(fileobj=io.BytesIO(data)) as read:
        return [
            (
                info.name + "/" * info.isdir(),
                kinds[info.type],
                info.mode,
                info.linkname,
                content.read() if info.isreg() and (content := read.extractfile(info)) else b"",
            )
            for info in read
        ]


def sample(*, long: bool = True) -> list[tuple[tarfile.TarInfo, bytes]]:
    dice = random.Random(1)
    deep = "p/" + "/".join(["folder-of-some-length"] * (20 if long else 6))
    return [
        (member("p/", tarfile.DIRTYPE, mode=0o755), b""),
        (member("p/empty"), b""),
        (member("p/one block"), dice.randbytes(512)),
        (member("p/odd", mode=0o755), dice.randbytes(1300)),
        (member(f"{deep}/file"), b"deep"),
        (member("p/link", tarfile.SYMTYPE, linkname="odd"), b""),
        (member("p/hard", tarfile.LNKTYPE, linkname=f"{deep if long else 'p'}/file"), b""),
        (member("p/pipe", tarfile.FIFOTYPE), b""),
        (member("p/last"), b"last"),
    ]


@pytest.mark.parametrize("stream", [io.BytesIO, Dribble])
@pytest.mark.parametrize("form", FORMATS)
def test_it_reads_what_tarfile_reads(form: str, stream: type[io.BytesIO]) -> None:
    data = archive(sample(long=form != "ustar"), FORMATS[form])
    ours = [
        (n.rstrip("/") + "/" * (k == "folder"), k, *rest) for n, k, *rest in found(data, stream)
    ]
    assert ours == by_tarfile(data)
    assert len(ours) == 9


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_names_that_are_no_utf8_and_long_ones(form: str) -> None:
    names = ["ä", "\udcff", "x" * 99, "x" * 100, "x" * 101, "y" * 5000]
    data = archive([(member(name), b"z") for name in names], FORMATS[form], encoding="utf-8")
    assert [name for name, *_ in found(data)] == names


def test_content_that_nobody_takes_is_skipped() -> None:
    data = archive([(member("a"), b"x" * 3000), (member("b"), b"y")])
    assert [m.name for m, _ in tar.read(io.BytesIO(data))] == ["a", "b"]


def test_a_size_beyond_octal_digits() -> None:
    header = bytearray(archive([(member("a"), b"")])[:512])
    header[124:136] = b"\x80" + (2**40).to_bytes(11, "big")
    content = next(tar.read(io.BytesIO(signed(header))))
    assert content[0].size == 2**40


def test_pax_headers_for_all_members_and_for_one() -> None:
    first = member("a")
    first.pax_headers = {"linkpath": "mine"}
    data = archive(
        [(first, b""), (member("b"), b"")], tarfile.PAX_FORMAT, pax_headers={"linkpath": "all"}
    )
    assert [target for *_, target, _ in found(data)] == ["mine", "all"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.GNUTYPE_SPARSE, b"V"])
def test_other_kinds_are_no_files(kind: bytes) -> None:
    assert [k for _, k, *_ in found(archive([(member("a", kind), b"")]))] == ["other"]


def test_a_sparse_file_of_pax_is_no_file() -> None:
    info = member("a")
    info.pax_headers = {"GNU.sparse.major": "1"}
    data = archive([(info, b"")], tarfile.PAX_FORMAT)
    assert [kind for _, kind, *_ in found(data)] == ["other"]


# --- damage ------------------------------------------------------------------------------


def signed(header: bytes | bytearray) -> bytes:
    """A header with its checksum made right."""
    fields = bytes(header[:148]) + b" " * 8 + bytes(header[156:512])
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


SMALL = archive([(member("p/a"), b"a" * 10), (member("x" * 150), b"b"), (member("p/c"), b"c")])
#: Where a header lies in SMALL: a; the long name's and the member's own; c.
HEADERS = (0, 1024, 2048, 3072)
END = 4096


def test_the_small_archive_is_laid_out_as_these_tests_think() -> None:
    assert [name for name, *_ in found(SMALL)] == ["p/a", "x" * 150, "p/c"]
    for header in HEADERS:
        assert SMALL[header + 257 : header + 262] == b"ustar"
    assert not any(SMALL[END:])


@pytest.mark.parametrize("header", HEADERS)
def test_no_changed_byte_of_a_header_goes_unnoticed(header: int) -> None:
    whole = found(SMALL)
    for at in range(header, header + 512):
        for flip in (0x01, 0x10, 0xFF):
            data = bytearray(SMALL)
            data[at] ^= flip
            try:
                assert found(bytes(data)) == whole, at  # what separates numbers does not matter
            except tar.BadTar:
                continue


def test_a_hole_is_not_taken_for_the_end() -> None:
    for header in HEADERS:
        data = SMALL[:header] + bytes(512) + SMALL[header + 512 :]
        with pytest.raises(tar.BadTar):
            found(data)


def test_no_cut_goes_unnoticed() -> None:
    for length in range(0, END + 512, 7):
        with pytest.raises(tar.BadTar):
            found(SMALL[:length])
    assert found(SMALL[: END + 512]) == found(SMALL)


BAD = {
    "empty": (b"", "without an end mark"),
    "more behind the end": (SMALL + b"more", "behind its end mark"),
    "a second archive behind it": (SMALL + SMALL, "behind its end mark"),
    "a size that is no number": (b"size", "is not a number"),
    "a size below zero": (b"\xff" * 12, "negative size"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    data, why = BAD[name]
    if len(data) < 20 and data:
        header = bytearray(SMALL[:512])
        header[124:136] = data.ljust(12, b"\0")
        data = signed(header) + SMALL[512:]
    with pytest.raises(tar.BadTar, match=why):
        found(data)


def extension(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    info = member("x", kind)
    header = bytearray(archive([(info, b"")])[:512])
    header[156:157] = kind
    header[124:136] = b"%011o\0" % (len(content) if size is None else size)
    return signed(header) + content + bytes(-len(content) % 512)


@pytest.mark.parametrize("kind", [b"x", b"g", b"X", b"L", b"K"])
def test_a_header_that_would_fill_the_memory(kind: bytes) -> None:
    stream = io.BytesIO(extension(kind, b"", tar.MAX_EXTENSION + 1) + bytes(1 << 22))
    with pytest.raises(tar.BadTar, match="tar header of"):
        list(tar.read(stream))
    assert stream.tell() == 512


@pytest.mark.parametrize(
    "records",
    [b"11 size=-1\n", b"12 size=abc\n", b"99 path=a\n", b"x path=a\n", b"8 path=a\n", b"6 path\n"],
)
def test_pax_records_that_are_wrong(records: bytes) -> None:
    with pytest.raises(tar.BadTar):
        found(extension(b"x", records) + SMALL)


def test_a_size_of_pax_that_is_wrong_shifts_nothing_in_silence() -> None:
    with pytest.raises(tar.BadTar):
        found(extension(b"x", b"12 size=513\n") + SMALL)


def test_two_pax_headers_for_one_member_and_one_for_none() -> None:
    header = extension(b"x", b"10 path=a\n")
    with pytest.raises(tar.BadTar, match="two extended headers"):
        found(header + header + SMALL)
    with pytest.raises(tar.BadTar, match="without its member"):
        found(header + bytes(1024))


def test_nothing_that_the_project_unpacks_hangs_on_tarfile() -> None:
    """What `tarfile` lets others see differs between the patch releases of one Python."""
    for path in Path(tar.__file__).parents[1].rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "frombuf" not in calls, path
        if path.parent.name == "sources":
            imports = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
            assert "tarfile" not in imports, path
