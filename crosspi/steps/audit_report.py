"""An audit's report as it is kept and published; `invoke audit --json` prints the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from crosspi.audit.findings import FileFacts, Finding
from crosspi.data.document import Model
from crosspi.data.record import read_record


class AuditReport(Model):
    """What was found in one wheel, archive or folder under one law."""

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


def read_report(path: Path) -> AuditReport:
    """A report that was kept. Raises StoreError where it cannot be read."""
    return read_record(
        path,
        AuditReport,
        about="the report of an audit",
        fix="build it again: an audit takes seconds",
    )
