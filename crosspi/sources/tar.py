"""Reads a tar stream front to back, and takes nothing damaged for whole.

The standard library's `tarfile` takes a broken header for the end of the archive, and what it lets
a caller override to see that differs between patch releases of one Python. Here each block is
checked before it is believed, the same on every Python: a wrong checksum, a number that is none, a
header that would fill the memory, content that is cut off, an end without its mark and anything
behind the mark are errors.

Source: POSIX.1-2001, `pax` (ustar and pax formats); the GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["file", "folder", "link", "hard link", "other"]

BLOCK = 512  # bytes
#: No honest pax or GNU long-name header is longer; they are read whole into memory.
MAX_EXTENSION = 1 << 20  # bytes
_CHUNK = 1 << 20  # bytes
_ZEROS = bytes(BLOCK)
_KINDS: Mapping[bytes, Kind] = {
    b"\0": "file",
    b"0": "file",
    b"7": "file",  # contiguous
    b"1": "hard link",
    b"2": "link",
    b"5": "folder",
}
#: Devices and pipes: like links and folders they have no content, whatever their size field says.
_EMPTY = frozenset(b"123456")
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_TARGET = (b"x", b"X"), b"g", b"L", b"K"


class BadTar(Exception):
    """The stream is no tar archive, or a damaged one."""


class Stream(Protocol):
    """What is read from: fewer bytes than asked for may come, none at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Member:
    """One member of an archive.

    Attributes:
        name: its path as it stands there.
        kind: `other` for devices, pipes, sparse files and kinds that are not known.
        size: bytes of its content.
        mode: permission bits.
        target: of a link.
    """

    name: str
    kind: Kind
    size: int
    mode: int
    target: str


def read(stream: Stream) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """The members of an archive, each with its content, which must be taken before the next one.

    Raises:
        BadTar: it is damaged, or not a tar archive.
    """
    shared: dict[str, str] = {}  # of pax's global headers
    own: dict[str, str] = {}  # of the headers before a member
    long: dict[str, str] = {}
    extended = False
    while any(block := _block(stream)):
        kind, size = block[156:157], _header_size(block)
        if kind in (_LONG_NAME, _LONG_TARGET):
            text = _text(_extension(stream, size))
            long["path" if kind == _LONG_NAME else "linkpath"] = text
        elif kind == _PAX_GLOBAL:
            _records(_extension(stream, size), shared)
        elif kind in _PAX:
            if extended:
                raise BadTar("two extended headers for one member")
            extended = True
            _records(_extension(stream, size), own)
        else:
            member = _member(block, size, {**long, **shared, **own})
            content = _content(stream, member)
            yield member, content
            for _ in content:  # what was not wanted
                pass
            _take(stream, -member.size % BLOCK, "the padding behind a member")
            own, long, extended = {}, {}, False
    if own or long:
        raise BadTar("an extended header without its member")
    while rest := stream.read(_CHUNK):  # to the end: the compression's checksum comes last
        if rest.count(0) != len(rest):
            raise BadTar("there is more behind its end mark")


def _block(stream: Stream) -> bytes:
    """The next header, its checksum right; the end mark is one of zeros."""
    block = b""
    while len(block) < BLOCK and (more := stream.read(BLOCK - len(block))):
        block += more
    if not block:
        raise BadTar("it ends without an end mark")
    if len(block) < BLOCK:
        raise BadTar("a header is cut off")
    if block == _ZEROS:
        return block
    told = _number(block[148:156])
    fields = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(fields)
    # Some old programs summed signed characters.
    if told not in (unsigned, unsigned - 256 * sum(byte > 127 for byte in fields)):
        raise BadTar("bad tar header: its checksum is wrong")
    return block


def _header_size(block: bytes) -> int:
    size = _number(block[124:136])
    if size < 0:
        raise BadTar("a tar header with a negative size")
    return size


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or GNU's base 256 for those that need more."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if field[0] == 0xFF:
        return int.from_bytes(field[1:], "big") - (1 << 8 * (len(field) - 1))
    digits = field.partition(b"\0")[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise BadTar(f"bad tar header: {digits!r} is not a number")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _take(stream: Stream, size: int, what: str) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise BadTar(f"{what} is cut off")
        data += more
    return data


def _extension(stream: Stream, size: int) -> bytes:
    """The content of a header that is about the next one."""
    if size > MAX_EXTENSION:
        raise BadTar(f"a tar header of {size} bytes")
    data = _take(stream, size, "a long header")
    _take(stream, -size % BLOCK, "a long header")
    return data


def _records(data: bytes, into: dict[str, str]) -> None:
    """Take pax's records, each `LENGTH KEY=VALUE` and a newline; an empty value takes one back."""
    while data.strip(b"\0"):
        digits, _, _ = data.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 10 else 0
        record, data = data[:length], data[length:]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not key or not equals or len(record) < length or record[-1:] != b"\n":
            raise BadTar("bad pax header: a record is no KEY=VALUE of its length")
        name = key.decode("utf-8", "surrogateescape")
        into.pop(name, None)
        if value:
            into[name] = value.decode("utf-8", "surrogateescape")


def _member(block: bytes, size: int, extended: Mapping[str, str]) -> Member:
    kind = block[156:157]
    name = _text(block[:100])
    # Only POSIX has a prefix: GNU tar keeps times in its place.
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = f"{prefix}/{name}"
    name = extended.get("path", name)
    is_folder = kind == b"\0" and name.endswith("/")  # before POSIX
    sparse = any(key.startswith("GNU.sparse.") for key in extended)
    try:
        size = int(extended.get("size", size))
    except ValueError as error:
        raise BadTar(f"bad pax header: {error}") from error
    if size < 0:
        raise BadTar("a tar header with a negative size")
    return Member(
        name=name,
        kind="folder" if is_folder else "other" if sparse else _KINDS.get(kind, "other"),
        size=0 if kind[0] in _EMPTY or is_folder else size,
        mode=_number(block[100:108]) & 0o7777,
        target=extended.get("linkpath", _text(block[157:257])),
    )


def _content(stream: Stream, member: Member) -> Iterator[bytes]:
    left = member.size
    while left:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            raise BadTar(f"the content of {member.name!r} is cut off")
        left -= len(chunk)
        yield chunk
