"""Static libraries: archives of `ar`, whose members somebody links into a program on the board.

The format is that of `ar(5)`, with the long names of GNU (`/12` points into the member `//`) and of
BSD (`#1/12` stands before the data).
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

from crosspi.audit.elf.format import BrokenElf

MAGIC = b"!<arch>\n"
_HEADER = 60


def members(data: bytes | mmap) -> Iterator[tuple[str, memoryview]]:
    """The members of an archive, without its tables of symbols and names.

    Raises:
        BrokenElf: it was cut off, or its headers are damaged.
    """
    at, names, view = len(MAGIC), b"", memoryview(data)
    while at < len(data):
        header = data[at : at + _HEADER]
        if len(header) < _HEADER or header[58:] != b"`\n":
            raise BrokenElf(f"at {at:#x} there is no header of a member of an archive")
        name, size = header[:16].rstrip(), header[48:58].strip()
        start = at + _HEADER
        if not size.isdigit() or start + int(size) > len(data):
            raise BrokenElf(f"the archive's member at {at:#x} ends outside the file")
        body = view[start : start + int(size)]
        at = start + int(size) + int(size) % 2
        if name == b"//":
            names = bytes(body)
        elif name.startswith(b"#1/") and name[3:].isdigit():
            length = int(name[3:])
            yield _text(bytes(body[:length]).rstrip(b"\0")), body[length:]
        elif name[:1] == b"/" and name[1:].isdigit():
            end = names.find(b"\n", int(name[1:]))
            yield _text(names[int(name[1:]) : end].rstrip(b"/")), body
        elif name not in (b"/", b"/SYM64/", b"__.SYMDEF"):
            yield _text(name.rstrip(b"/")), body


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace") or "?"
