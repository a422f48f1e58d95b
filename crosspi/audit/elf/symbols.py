"""A table of symbols, as it lies in the file: a library may have a million of them.

Source: the System V gABI, "Symbol Table". A row becomes an object where it is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crosspi.audit.elf.format import STT_FUNC, STT_GNU_IFUNC
from crosspi.audit.spool import chunks

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
_ROW = np.dtype(
    [
        ("name", "<u4"),
        ("value", "<u4"),
        ("size", "<u4"),
        ("info", "u1"),
        ("other", "u1"),
        ("section", "<u2"),
    ]
)
_SOME, _SHORT = 1 << 14, 128


class Symbol(NamedTuple):
    name: str
    value: int
    size: int
    type: int
    bind: int
    section: int

    @property
    def defined(self) -> bool:
        return self.section != 0


class SymbolTable:
    """Symbols by their numbers.

    Args:
        table: their rows.
        strings: what their names are taken from.
    """

    def __init__(self, table: memoryview, strings: memoryview) -> None:
        self._rows = np.frombuffer(table, _ROW, len(table) // _ROW.itemsize)
        self._strings = strings

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Symbol]:
        for part in chunks(len(self), _SOME):
            for name, value, size, info, _, section in self._rows[part].tolist():
                yield Symbol(
                    string_at(self._strings, name), value, size, info & 15, info >> 4, section
                )

    @property
    def values(self) -> npt.NDArray[np.uint32]:
        return self._rows["value"]

    @property
    def sizes(self) -> npt.NDArray[np.uint32]:
        return self._rows["size"]

    @property
    def sections(self) -> npt.NDArray[np.uint16]:
        return self._rows["section"]

    @property
    def functions(self) -> Bools:
        """Which of them are functions that are in this file."""
        types = self._rows["info"] & 15
        found: Bools = ((types == STT_FUNC) | (types == STT_GNU_IFUNC)) & (self.sections != 0)
        return found

    def letters(self, place: int) -> Bytes:
        """Of each name the letter at a place, which is 0 behind its last."""
        strings = np.frombuffer(self._strings, np.uint8)
        at = self._rows["name"].astype(np.int64) + place
        found, there = np.zeros(len(at), np.uint8), at < len(strings)
        found[there] = strings[at[there]]
        return found

    def name(self, number: int) -> str:
        return string_at(self._strings, int(self._rows["name"][number]))


def string_at(strings: memoryview, start: int) -> str:
    """The text at a place; '' where there is none, or no end of it."""
    size = _SHORT
    while start < len(strings):
        text = bytes(strings[start : start + size])
        end = text.find(b"\0")
        if end >= 0:
            return text[:end].decode("utf-8", "replace")
        if start + size >= len(strings):
            break
        size *= 8
    return ""
