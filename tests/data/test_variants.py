"""Variants: what is merged, what is replaced, and where faults are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crosspi.data.document import Document, Fault
from crosspi.data.variants import documents
from crosspi.errors import DataError


def read(folder: Path, text: str) -> Document:
    path = folder / "file.yaml"
    path.write_text(text)
    return Document.read(path)


def found(folder: Path, text: str, *, last: str = "") -> list[tuple[str, Any]]:
    return [(name, document.data) for name, document in documents(read(folder, text), last=last)]


def test_a_file_without_variants_is_itself(tmp_path: Path) -> None:
    assert found(tmp_path, "a: 1\n") == [("", {"a": 1})]
    assert found(tmp_path, "- a\n") == [("", ["a"])]


def test_mappings_are_merged_and_all_else_is_replaced(tmp_path: Path) -> None:
    text = """\
keep: 1
map: {x: 1, y: {z: 1}}
list: [1, 2]
variants:
  one: {map: {y: {w: 2}}, list: [3], new: {n: 1}}
  two: {map: 5}
"""
    assert found(tmp_path, text) == [
        ("one", {"keep": 1, "map": {"x": 1, "y": {"z": 1, "w": 2}}, "list": [3], "new": {"n": 1}}),
        ("two", {"keep": 1, "map": 5, "list": [1, 2]}),
    ]


def test_another_build_system_replaces_the_whole(tmp_path: Path) -> None:
    text = """\
build: {system: cmake, source: a, options: {x: 1}}
variants:
- build: {system: pep517, source: b}
- build: {system: cmake, options: {y: 1}}
- build: {options: {z: 1}}
"""
    assert [data["build"] for _, data in found(tmp_path, text)] == [
        {"system": "pep517", "source": "b"},
        {"system": "cmake", "source": "a", "options": {"x": 1, "y": 1}},
        {"system": "cmake", "source": "a", "options": {"x": 1, "z": 1}},
    ]


@pytest.mark.parametrize("serves", [True, False])
def test_the_rest_of_a_file_may_be_the_last(tmp_path: Path, serves: bool) -> None:
    text = ("pythons: all\n" if serves else "") + "a: 1\nvariants:\n- {a: 2}\n"
    data = [data["a"] for _, data in found(tmp_path, text, last="pythons")]
    assert data == ([2, 1] if serves else [2])


def test_every_value_keeps_its_line(tmp_path: Path) -> None:
    text = """\
a: 1
map:
  x: 1
  list: [1,
    2]
variants:
  one:
    map:
      list:
      - 5
"""
    ((_, document),) = documents(read(tmp_path, text))
    assert document.line(("a",)) == 1
    assert document.line(("map", "x")) == 3
    assert document.line(("map", "list")) == 9
    assert document.line(("map", "list", 0)) == 10
    # What stood in the list below is not in this one.
    assert document.line(("map", "list", 1)) == 9
    assert "file.yaml:10: map.list[0]: wrong" in str(
        document.error([Fault(("map", "list", 0), "wrong")])
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("variants: 5\n", "file.yaml:1: variants: must be mappings"),
        ("variants:\n- {a: 1}\n- b\n", "file.yaml:3: variants[1]: must be mappings"),
        ("variants:\n  one: {a: 1}\n  two:\n", "file.yaml:3: variants.two: must be mappings"),
        ("variants:\n  3.11: {a: 1}\n", "file.yaml:2: variants.3.11: must be text"),
    ],
)
def test_variants_are_mappings(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(DataError) as caught:
        found(tmp_path, text)
    assert where in caught.value.where
