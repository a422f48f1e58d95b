"""What is said where a source could not be had: every origin's reason, and what else would do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crosspi.data.source import LocalOrigin, Source
from crosspi.errors import ArchiveError, CrosspiError, EngineError, HostError, SourceError
from crosspi.urls import redact


def wrong_tree(archive: Path, expected: str, actual: str, checked: bool | None) -> SourceError:
    """The error of an archive that unpacks to another tree than the pinned one.

    Args:
        archive: what was unpacked.
        expected, actual: the trees' hashes.
        checked: whether the archive's own sha256 is the pinned one; None if unknown.
    """
    if checked:
        why = (
            "the archive itself is the pinned one: so strip, subdir, include or exclude differ "
            "from those the pin was made with"
        )
        fix = "correct these options, or pin the new tree (`invoke fetch` prints its hash)"
    elif checked is None:
        why = "the content of the archive changed, or strip, subdir, include or exclude did"
        fix = "compare with what was pinned before you pin the new tree; pin the archive's sha256"
    else:
        why = "it has the right name, but other content"
        fix = "put the right file there, or remove it"
    return SourceError(
        "the unpacked tree is not the pinned one; it was thrown away",
        where=redact(str(archive)),
        why=f"{why}\nexpected tree {expected}\nactual   tree {actual}",
        fix=fix,
    )


def _worst(errors: Iterable[CrosspiError]) -> type[CrosspiError]:
    """The kind of failure that all origins together are.

    An engine or a machine that does not do its part comes first: a Debian source is found through
    the base image, and nothing is said about the source while that cannot be made.
    """
    kinds = {type(error) for error in errors}
    for kind in (EngineError, HostError):
        if any(issubclass(found, kind) for found in kinds):
            return kind
    return ArchiveError if kinds == {ArchiveError} else SourceError


def all_failed(name: str, source: Source, failures: list[tuple[str, CrosspiError]]) -> CrosspiError:
    """The error of a source of which no origin could be used.

    Args:
        name: the source's.
        source: its pin and its origins.
        failures: what each attempt said, by its label.
    """
    reasons = []
    for label, error in failures:
        reasons.append(f"{label}: {error.what}")
        reasons += [f"    {line}" for line in (error.where, *error.why.splitlines()) if line]
    wanted = [
        f"    {origin.filename}" + (f"  sha256 {origin.sha256}" if origin.sha256 else "")
        for origin in source.origins
        if not isinstance(origin, LocalOrigin)
    ]
    if source.kind == "file":
        wanted = [f"    {source.filename}  sha256 {source.digest}"]
    elif source.pinned:
        wanted.append(f"    the unpacked tree, as a folder named {source.digest}")
    fixes = list(dict.fromkeys(error.fix for _, error in failures if error.fix))
    return _worst(error for _, error in failures)(
        f"the source '{name}' could not be had from "
        + (
            "its origin"
            if len(source.origins) == 1
            else f"any of its {len(source.origins)} origins"
        ),
        why="\n".join(reasons),
        fix="\n".join(
            [
                *fixes[:2],
                "or put one of these into the folder CROSSPI_SOURCES names:",
                *dict.fromkeys(wanted),
            ]
        ),
    )
