"""An audit's report as it is kept and published; `invoke audit --json` prints the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crosspi.audit.findings import FileFacts, Finding
from crosspi.errors import StoreError


class AuditReport(BaseModel):
    """What was found in one wheel, archive or folder under one law."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    version_of_schema: Literal[1] = Field(alias="schema")
    ok: bool
    verdict: Literal["proven", "refused", "undecided"]
    evidence: str = Field(description="what the verdict rests on, in words")
    subject: str
    law: str
    sha256: str = Field(description="of the file; empty for a folder")
    files: tuple[FileFacts, ...]
    findings: tuple[Finding, ...]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return self.model_dump(mode="json", by_alias=True)


def schema() -> str:
    """The JSON Schema of a report (kept in `docs/audit.schema.json`)."""
    return json.dumps(AuditReport.model_json_schema(by_alias=True), indent=1) + "\n"


def read_report(path: Path) -> AuditReport:
    """A report that was kept.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return AuditReport.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(
            "the report of an audit cannot be read",
            where=str(path),
            why=str(error),
            fix="build it again: an audit takes seconds",
        ) from error
