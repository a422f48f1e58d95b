"""What the tasks that build and prove are told, and what of it makes no sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crosspi.errors import UsageError

LEVELS = ("default", "full")


@dataclass(frozen=True)
class Options:
    """The words of a command line, as they were typed: `check` says which of them are wrong.

    Attributes:
        target, python, recipe: the selection; empty: the task's default.
        jobs: compiles at once; empty: the number of cores.
        offline: open no socket.
        keep_going: after a failure go on with what does not need it.
        force: run every step again.
        verbose, json: what the user sees.
        level: that of the smoke tests.
    """

    target: Sequence[str] = ()
    python: Sequence[str] = ()
    recipe: Sequence[str] = ()
    jobs: str = ""
    offline: bool = False
    keep_going: bool = False
    force: bool = False
    verbose: bool = False
    json: bool = False
    level: str = "default"

    def check(self) -> None:
        """Raises UsageError for a level that there is not, and for jobs that are no number."""
        if self.level not in LEVELS:
            raise UsageError(
                f"there is no smoke level '{self.level}'", fix="known: " + ", ".join(LEVELS)
            )
        if self.jobs and not (self.jobs.isascii() and self.jobs.isdigit() and int(self.jobs)):
            raise UsageError(
                f"'{self.jobs}' is not a number of compiles",
                where="--jobs",
                fix="give a number from 1 on, or leave it out: then all cores work",
            )

    def jobs_or(self, cores: int) -> int:
        """How many compiles run at once, where `cores` is what it is without --jobs."""
        return int(self.jobs) if self.jobs else cores
