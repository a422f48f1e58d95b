"""An audit's report as it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crosspi.audit.findings import SCHEMA, FileFacts, Report, finding
from crosspi.data.record import schema_of
from crosspi.errors import StoreError
from crosspi.steps.audit_report import AuditReport, read_report

KEPT = Path(__file__).parents[2] / "docs" / "audit.schema.json"
FILES = (FileFacts("x.so", 1, "ARM", counts={"vfp": 2}, dispatched={"why": "v8 3"}, trials=("t",)),)
REPORT = Report("x.whl", "toy", "0" * 64, FILES, (finding("elf-broken", "x.so", "cut off"),))


def test_the_kept_schema_is_the_models() -> None:
    assert KEPT.read_text(encoding="utf-8") == schema_of(AuditReport)


def test_the_models_schema_has_the_audits_number() -> None:
    assert json.loads(schema_of(AuditReport))["properties"]["schema"]["const"] == SCHEMA


def test_what_an_audit_writes_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "r").write_text(REPORT.to_json())
    assert read_report(tmp_path / "r").plain() == json.loads(REPORT.to_json())


@pytest.mark.parametrize("changes", [{"schema": 2}, {"ok": "perhaps"}, {"files": [{}]}, {"x": 1}])
def test_what_cannot_be_read_is_told(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / "r").write_text(json.dumps({**REPORT.to_dict(), **changes}))
    with pytest.raises(StoreError, match="cannot be read") as caught:
        read_report(tmp_path / "r")
    assert next(iter(changes)) in caught.value.why


def test_a_report_that_went_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_report(tmp_path / "none")
