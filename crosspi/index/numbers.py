"""Build numbers in wheels' names (PEP 427): other bytes of one version and tags get the next."""

from __future__ import annotations


def without_number(name: str) -> tuple[str, ...]:
    """The parts of a wheel's name less its build number (PEP 427: the third of six)."""
    parts = name.split("-")
    return tuple(parts[:2] + parts[-3:])


def number(name: str) -> int:
    """The build number in a wheel's name; 0 where there is none."""
    parts = name.split("-")
    return int(parts[2]) if len(parts) == 6 and parts[2].isdecimal() else 0
