"""Symbols as columns: the same as row by row."""

from __future__ import annotations

import struct

import numpy as np

from crosspi.audit.elf.format import read_relr
from crosspi.audit.elf.symbols import SymbolTable, string_at

LONG = "n" * 5000
STRINGS = f"\0$a\0$d.7\0{LONG}\0cut".encode()
ROWS = [
    (1, 8, 0, 0x00, 0, 1),
    (4, 16, 4, 0x12, 0, 1),
    (9, 33, 2, 0x1A, 0, 2),
    (99999, 1, 1, 2, 0, 0),
]
TABLE = SymbolTable(
    memoryview(b"".join(struct.pack("<IIIBBH", *row) for row in ROWS) + b"\1\2"),
    memoryview(STRINGS),
)


def test_rows_become_symbols() -> None:
    assert len(TABLE) == 4
    assert [tuple(symbol) for symbol in TABLE] == [
        ("$a", 8, 0, 0, 0, 1),
        ("$d.7", 16, 4, 2, 1, 1),
        (LONG, 33, 2, 10, 1, 2),
        ("", 1, 1, 2, 0, 0),
    ]
    assert TABLE.name(2) == LONG


def test_columns() -> None:
    assert TABLE.functions.tolist() == [False, True, True, False]
    assert [bytes(TABLE.letters(place)) for place in (0, 2)] == [b"$$n\0", b"\0.n\0"]
    assert TABLE.letters(10**6).tolist() == [0, 0, 0, 0]


def test_a_text_without_end_is_none() -> None:
    assert string_at(memoryview(STRINGS), len(STRINGS) - 3) == ""
    assert string_at(memoryview(STRINGS), len(STRINGS)) == ""


def test_packed_relocations_are_unpacked() -> None:
    entries = [0b10110 << 1 | 1, 0x1000, 1 << 31 | 1, 0b11, 0x2000]
    found = read_relr(struct.pack("<5I", *entries))
    first = [4, 8, 16]
    assert found.tolist() == sorted([*first, 0x1000, 0x1004 + 120, 0x1004 + 124, 0x2000])
    assert read_relr(b"").dtype == np.uint32
