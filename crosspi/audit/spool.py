"""Bytes in files without a name, mapped: a wheel may hold more of them than fit into the memory.

What is mapped from a file counts as a process's memory only while it is looked at, and it can be
given back at any time: it is read again where it is needed again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path

IN_MEMORY = 4 << 20


def keep(blocks: Iterable[bytes]) -> mmap:
    """Some bytes, at least one, to be read."""
    with tempfile.TemporaryFile() as file:
        for block in blocks:
            file.write(block)
        file.flush()
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def copied(view: memoryview) -> bytes | mmap:
    """A part of something by itself; of a big one not in the memory."""
    if len(view) <= IN_MEMORY:
        return bytes(view)
    return keep(bytes(view[part]) for part in giving_back(chunks(len(view), IN_MEMORY), view))


def mapped(path: Path) -> mmap:
    """The bytes of a file that is not empty, to be read."""
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def room(size: int) -> mmap:
    """Room for some bytes, each 0; for none of them there is room for one."""
    if size <= IN_MEMORY:
        return mmap(-1, max(size, 1))
    with tempfile.TemporaryFile() as file:
        # Asked for here and now: who writes to a mapped file on a full disk dies of it.
        os.posix_fallocate(file.fileno(), 0, size)
        return mmap(file.fileno(), size)


def give_back(*mapped: bytes | memoryview | mmap) -> None:
    """The memory of what is mapped, or is a view of it; small pieces stay."""
    for piece in mapped:
        whole = piece.obj if isinstance(piece, memoryview) else piece
        if isinstance(whole, mmap) and len(whole) > IN_MEMORY:
            whole.madvise(MADV_DONTNEED)


def chunks(size: int, stride: int) -> Iterator[slice]:
    """Slices of so many things."""
    return (slice(at, min(at + stride, size)) for at in range(0, size, stride))


def giving_back(
    parts: Iterable[slice], *mapped: bytes | memoryview | mmap, after: int = 16
) -> Iterator[slice]:
    """Parts of what is mapped, one after another; the memory is given back behind them."""
    for number, part in enumerate(parts, 1):
        yield part
        if number % after == 0:
            give_back(*mapped)
    give_back(*mapped)


def sha256_of(data: bytes | mmap) -> str:
    """The sha256 of some bytes, in hexadecimal."""
    real = hashlib.sha256()
    for part in giving_back(chunks(len(data), IN_MEMORY), data, after=4):
        real.update(data[part])
    return real.hexdigest()
