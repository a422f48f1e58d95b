"""JSON files that are kept: what is read of them, and what is told of damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crosspi.data.document import Model
from crosspi.data.record import read_record, schema_of, validated
from crosspi.errors import StoreError


class Toy(Model):
    name: str
    parts: tuple[int, ...] = ()


def test_a_schema_is_of_the_models_fields() -> None:
    assert set(json.loads(schema_of(Toy))["properties"]) == {"name", "parts"}


def test_what_is_right_is_the_model() -> None:
    assert validated(Toy, {"name": "x", "parts": [1, 2]}) == Toy(name="x", parts=(1, 2))


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({}, "name: "),
        ({"name": "x", "parts": [1, "y"]}, "parts.1: "),
        ({"name": "x", "more": 1}, "more: "),
        ([], "it: "),
        ({"parts": "x"}, "name: Field required; parts: "),
    ],
)
def test_what_is_wrong_is_named(plain: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        validated(Toy, plain)


@pytest.mark.parametrize("text", ["", "[", "{}", pytest.param(100_000 * "[", id="deep"), None])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "toy"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StoreError, match="the toy cannot be read") as caught:
        read_record(path, Toy, about="the toy", fix="make it again")
    assert (caught.value.where, caught.value.fix) == (str(path), "make it again")
    assert caught.value.why
