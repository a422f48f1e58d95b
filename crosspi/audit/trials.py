"""What became of a wheel's files when they were run on the emulated board, as evidence.

A program that answers, and a module that can be imported, did not run into what only looks like
foreign code: such findings become notes. One that dies of an illegal instruction is refused,
whatever the audit saw. That something ran proves no more than that.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from crosspi.audit.findings import FileFacts, Finding, Report, finding


@dataclass(frozen=True)
class Trial:
    """One file, run.

    Attributes:
        file: its name in the wheel.
        how: `import`, or the argument that a program was called with.
        code: its exit code, negative for a signal; None where it did not end in time.
        text: the end of what it printed.
        board: the emulated CPU.
    """

    file: str
    how: str
    code: int | None
    text: str
    board: str

    @property
    def trapped(self) -> bool:
        return self.code in (-signal.SIGILL, 128 + signal.SIGILL)

    @property
    def ran(self) -> bool:
        """A module must be there afterwards; a program need only have ended by itself."""
        if self.code is None or self.code < 0 or self.code >= 126:
            return False
        return self.code == 0 or self.how != "import"

    def words(self) -> str:
        if self.trapped:
            end = "died of an illegal instruction"
        elif self.code is None:
            end = "did not end"
        elif self.ran:
            end = "ran"
        else:
            lines = self.text.strip().splitlines()
            end = f"ended with {self.code}: {lines[-1][:120] if lines else 'no word'}"
        return f"{self.how} on {self.board}: {end}"


def decide(report: Report, trials: Iterable[Trial]) -> Report:
    """The report with the evidence of trials in it."""
    tried: dict[str, list[Trial]] = {}
    for trial in trials:
        tried.setdefault(trial.file, []).append(trial)
    files = tuple(_with_words(facts, tried.get(facts.file, ())) for facts in report.files)
    found: list[Finding] = []
    for item in report.findings:
        ran = tried.get(item.file, [])
        unclear = item.severity == "error" and item.certainty == "unclear"
        settled = unclear and ran and all(trial.ran for trial in ran)
        found.append(replace(item, severity="note") if settled else item)
    for name, ran in tried.items():
        found += [finding("trapped", name, trial.words()) for trial in ran if trial.trapped]
    ordered = sorted(found, key=lambda item: (item.severity, item.file, item.code))
    return replace(report, files=files, findings=tuple(ordered))


def _with_words(facts: FileFacts, trials: Sequence[Trial]) -> FileFacts:
    return replace(facts, trials=tuple(trial.words() for trial in trials))
