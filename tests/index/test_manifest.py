"""The manifest beside a wheel, and what is read of it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import a_manifest, tiny_wheel

from crosspi.data.record import schema_of
from crosspi.errors import StoreError
from crosspi.index.manifest import Manifest, manifest_of, published_manifest, read_manifest

KEPT = Path(__file__).parents[2] / "docs" / "manifest.schema.json"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return tiny_wheel(tmp_path)


def put(wheel: Path, **changes: Any) -> None:
    plain = {**json.loads(a_manifest(wheel).to_json()), **changes}
    manifest_of(wheel).write_text(json.dumps({k: v for k, v in plain.items() if v is not None}))


def test_the_kept_schema_is_the_models() -> None:
    assert KEPT.read_text(encoding="utf-8") == schema_of(Manifest)


def test_what_is_written_is_read_again(wheel: Path) -> None:
    for record in (a_manifest(wheel), a_manifest(wheel, withdrawn="its test fails", python=None)):
        manifest_of(wheel).write_text(record.to_json())
        assert read_manifest(wheel) == record


def test_one_that_was_written_before_schemas_had_numbers_is_read(wheel: Path) -> None:
    put(wheel, schema=None)
    assert read_manifest(wheel) == a_manifest(wheel)


def test_where_there_is_none_there_is_none(wheel: Path) -> None:
    assert read_manifest(wheel) is None
    assert published_manifest(wheel) is None


def test_one_of_another_file_is_not_of_this(wheel: Path) -> None:
    put(wheel, sha256="0" * 64)
    assert published_manifest(wheel) is None
    put(wheel)
    assert published_manifest(wheel) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\x00",
        '{"schema": "x"}',
        "{}",
        '{"schema": Infinity}',
        pytest.param(100_000 * "[", id="deep"),
    ],
)
def test_a_damaged_one_is_told(wheel: Path, text: str) -> None:
    manifest_of(wheel).write_text(text)
    with pytest.raises(StoreError, match="is damaged") as caught:
        read_manifest(wheel)
    assert caught.value.where == str(manifest_of(wheel))
    assert caught.value.why and "remove it" in caught.value.fix


@pytest.mark.parametrize(
    ("field", "value"), [("size", "many"), ("proven", "yesterday"), ("recipe", None), ("more", 1)]
)
def test_the_field_that_is_wrong_is_named(wheel: Path, field: str, value: object) -> None:
    put(wheel, **{field: value})
    with pytest.raises(StoreError, match="is damaged") as caught:
        read_manifest(wheel)
    assert field in caught.value.why


def test_one_of_a_newer_crosspi_is_told(wheel: Path) -> None:
    put(wheel, schema=2)
    with pytest.raises(StoreError, match="newer crosspi") as caught:
        read_manifest(wheel)
    assert "schema 2" in caught.value.why
