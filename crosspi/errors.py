"""Every failure a user can meet, each kind with its own exit code.

A message says what happened, where (file:line, URL, wheel member), why it may be, and what to
do. Nothing here prints: `console` shows an error, `tasks.py` turns it into the exit code.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar, TypeVar

T = TypeVar("T")


class CrosspiError(Exception):
    """A failure that a user can act on.

    Args:
        what: what happened, in one sentence.
        where: the place: a file:line, a URL, a wheel member, a command.
        why: why it may have happened.
        fix: what to do about it.
    """

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.what}"]
        for label, text in (("where", self.where), ("why", self.why), ("fix", self.fix)):
            if text:
                first, *rest = text.splitlines()
                lines.append(f"  {label + ':':<6} {first}")
                lines.extend(f"         {line}" for line in rest)
        return "\n".join(lines)


class UsageError(CrosspiError):
    """An unknown target, recipe, Python or option."""

    exit_code = 2
    title = "usage error"


class Mistakes:
    """The mistakes of one command line: all are told at once."""

    def __init__(self) -> None:
        self._errors: list[UsageError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on after the block, whatever is wrong in it."""
        try:
            yield
        except UsageError as error:
            self._errors.append(error)

    def each(self, find: Callable[[str], T], words: Iterable[str]) -> list[T]:
        """What is found for each word; the others are noted."""
        found = []
        for word in words:
            with self.noted():
                found.append(find(word))
        return found

    def check(self) -> None:
        """Go on only if nothing was noted.

        Raises:
            UsageError: the one mistake as it is, or all of them as one.
        """
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            raise UsageError(
                f"{len(self._errors)} mistakes in this command",
                where="\n".join(f"{e.where}: {e.what}" for e in self._errors),
                why="\n".join(e.why for e in self._errors if e.why),
                fix="\n".join(f"{e.where}: {e.fix}" for e in self._errors if e.fix),
            )


class DataError(CrosspiError):
    """A recipe, toolchain or other YAML file of the project is wrong; lists every fault."""

    exit_code = 3
    title = "data error"


class SourceError(CrosspiError):
    """A source could not be fetched, or its bytes are not the pinned ones."""

    exit_code = 4
    title = "source error"


class ArchiveError(CrosspiError):
    """An archive is cut off, corrupt, or tries to write where it must not."""

    exit_code = 5
    title = "archive error"


class EngineError(CrosspiError):
    """No Docker engine, no permission on its socket, or it died."""

    exit_code = 6
    title = "engine error"


class HostError(CrosspiError):
    """This machine cannot do it: architecture, binfmt, a missing program."""

    exit_code = 7
    title = "host error"


class BuildError(CrosspiError):
    """A command in a build container failed."""

    exit_code = 8
    title = "build failed"


class AuditError(CrosspiError):
    """A wheel breaks the law of its target."""

    exit_code = 9
    title = "audit failed"


class SmokeError(CrosspiError):
    """An installed wheel gave a wrong answer on the emulated board."""

    exit_code = 10
    title = "smoke test failed"


class EmulatorError(CrosspiError):
    """qemu itself crashed or could not start: nothing is said about the wheel."""

    exit_code = 11
    title = "emulator failed"


class StoreError(CrosspiError):
    """The store or a cache on disk is damaged."""

    exit_code = 12
    title = "store error"


class DiskFullError(CrosspiError):
    """No space left, or a quota is used up."""

    exit_code = 13
    title = "disk full"


class NotAWheelError(CrosspiError):
    """The file given to the audit is not a wheel that can be read."""

    exit_code = 14
    title = "not a wheel"


class UnexpectedError(CrosspiError):
    """A mistake in crosspi itself: what it met, nobody thought of. The log has the traceback."""

    exit_code = 15
    title = "unexpected error"


class BenchError(CrosspiError):
    """A model or a wheel that cannot be measured."""

    exit_code = 16
    title = "cannot be measured"


class Interrupted(CrosspiError):
    """Ctrl-C (exit 130) or SIGTERM (exit 143), after containers were removed."""

    exit_code = 130
    title = "interrupted"


def from_os_error(error: OSError, *, doing: str) -> CrosspiError | None:
    """The project's error for an operating system one, or None where it has no better words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(doing, where=os.fsdecode(error.filename) if error.filename else "")
    return None


def disk_full(doing: str, *, where: str) -> DiskFullError:
    """The error for a full disk, wherever it was noticed."""
    return DiskFullError(
        f"no space left while {doing}",
        where=where,
        why="the disk or quota behind this folder is full",
        fix="free some space (`invoke clean` shows what crosspi keeps), "
        "or point CROSSPI_CACHE at a larger disk",
    )


def engine_full(doing: str) -> DiskFullError:
    """The error for a full disk on which the engine keeps its images and containers."""
    return DiskFullError(
        f"no space left while {doing}",
        where="the engine's own folder: `invoke doctor` says which, and how much is left",
        why="the disk or quota behind this folder is full",
        fix="free some space there (docker system df), or set the engine's data-root",
    )


def tells_disk_full(text: str) -> bool:
    """Whether what a program printed says that the disk is full.

    By strerror(3) of ENOSPC or EDQUOT, or in the words of apt-get, which looks before it fetches.
    """
    lower = text.lower()
    words = ("no space left on device", "disk quota exceeded", "you don't have enough free space")
    return any(word in lower for word in words)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt name, or the list of the known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "known: " + ", ".join(names)


def chain(error: BaseException) -> list[BaseException]:
    """An exception and all that is wrapped in it, outermost first.

    Libraries wrap the fault of the network or the disk in four ways: as the cause, as the context,
    as an argument, and (urllib3) as the attribute `reason`.
    """
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if any(one is seen for seen in found):
            continue
        found.append(one)
        wrapped = [getattr(one, "reason", None), *one.args, one.__cause__, one.__context__]
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]
    return found
