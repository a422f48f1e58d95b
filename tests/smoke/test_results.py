"""The results of a smoke test, and what is read of them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crosspi.data.record import schema_of, validated
from crosspi.errors import StoreError
from crosspi.smoke.results import Results, read_results

KEPT = Path(__file__).parents[2] / "docs" / "results.schema.json"
PLAIN: dict[str, Any] = {
    "format": 1,
    "outcome": "passed",
    "board": {"machine": "toyl"},
    "counts": {"passed": 1},
    "tests": [{"name": "adds", "outcome": "passed", "cpu_seconds": 0.5}],
}


def test_the_kept_schema_is_the_models() -> None:
    assert KEPT.read_text(encoding="utf-8") == schema_of(Results)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    results = validated(Results, {**PLAIN, "wheel": "x.whl", "sha256": "0" * 64})
    (tmp_path / "r").write_text(results.to_json())
    assert read_results(tmp_path / "r") == results
    assert "message" not in json.loads(results.to_json())


def test_a_test_knows_what_it_used_and_notes_of_its_children() -> None:
    tests = [{**PLAIN["tests"][0], "notes": {"cpu_seconds": more}} for more in (2, "?", None)]
    assert [test.used for test in validated(Results, {**PLAIN, "tests": tests}).tests] == [
        2.5,
        0.5,
        0.5,
    ]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", pytest.param(100_000 * "[", id="deep"), json.dumps({**PLAIN, "format": 2})],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(StoreError, match="cannot be read") as caught:
        read_results(tmp_path / "r")
    assert caught.value.where == str(tmp_path / "r")
    assert caught.value.why


def test_results_that_went_away_are_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_results(tmp_path / "none")
