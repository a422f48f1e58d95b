"""Build numbers in files' names (PEP 427): other bytes of one version and tags get the next.

An archive is named NAME-VERSION-PLATFORM, with the number before the platform, as wheels have it
before their tags.
"""

from __future__ import annotations

WHEEL, ARCHIVE = ".whl", ".tar.gz"
#: The kinds of files that are published.
ENDINGS = (WHEEL, ARCHIVE)


def is_archive(name: str) -> bool:
    """Whether a published file is an archive, and no wheel."""
    return name.endswith(ARCHIVE)


def without_number(name: str) -> tuple[str, ...]:
    """The parts of a file's name less its build number: the third of a wheel's six (PEP 427)."""
    parts = name.split("-")
    return tuple(parts[:2] + parts[-_tags(name) :])


def number(name: str) -> int:
    """The build number in a file's name; 0 where there is none."""
    parts = name.split("-")
    return int(parts[2]) if len(parts) == 3 + _tags(name) and parts[2].isdecimal() else 0


def _tags(name: str) -> int:
    """How many parts of a name say what it is for."""
    return 1 if is_archive(name) else 3
