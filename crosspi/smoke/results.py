"""The results of a smoke test: what the harness wrote on the board, and what it was about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue

from crosspi.data.document import Model
from crosspi.data.record import read_record


class CaseResult(Model):
    """What became of one test."""

    name: str
    outcome: Literal["passed", "failed", "error", "skipped"]
    seconds: float = 0
    cpu_seconds: float = 0
    title: str = ""
    message: str = ""
    traceback: str = ""
    notes: dict[str, JsonValue] = Field({}, description="facts that the test told")

    @property
    def used(self) -> float:
        """Processor seconds: its own, and those that it notes of processes that it started."""
        noted = self.notes.get("cpu_seconds")
        return self.cpu_seconds + (noted if isinstance(noted, int | float) else 0)


class BoardFacts(Model):
    """Where it ran, as programs there see it."""

    machine: str = Field(description="uname -m")
    uname: tuple[str, ...] = ()
    python: str = ""
    python_full: str = ""
    executable: str = ""
    libc: str = ""
    bits: int = 0
    byteorder: str = ""
    cpu: str = ""
    cpuinfo: dict[str, str] = Field({}, description="lines of /proc/cpuinfo")
    hwcap: dict[str, str] = Field({}, description="AT_HWCAP and AT_HWCAP2, from qemu")


class Results(Model):
    """What is kept of a smoke test as `results.json`."""

    version_of_schema: Literal[1] = Field(1, alias="format")
    outcome: Literal["passed", "failed"]
    message: str = ""
    level: str = ""
    smoke: str = ""
    board: BoardFacts
    counts: dict[str, int]
    seconds: float = 0
    cpu_seconds: float = 0
    tests: tuple[CaseResult, ...]
    emulated: dict[str, str] = Field({}, description="the board as qemu played it")
    wheel: str = Field("", description="the file's name, of a wheel")
    sha256: str = Field("", description="of the wheel or archive that was tested")

    @property
    def bad(self) -> list[CaseResult]:
        """The tests that did not pass."""
        return [test for test in self.tests if test.outcome in ("failed", "error")]

    def plain(self) -> dict[str, Any]:
        """For JSON; without what is not said."""
        plain = self.model_dump(mode="json", by_alias=True)
        return {name: value for name, value in plain.items() if value != ""}

    def to_json(self) -> str:
        """As it is kept."""
        return json.dumps(self.plain(), indent=1, sort_keys=True) + "\n"


def read_results(path: Path) -> Results:
    """Results that were kept. Raises StoreError where they cannot be read."""
    return read_record(
        path,
        Results,
        about="the results of a smoke test",
        fix="run that test again: `invoke smoke`",
    )
