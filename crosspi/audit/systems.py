"""The systems of the Raspberry Pi: which libraries, versions and symbols their loader finds.

The facts are in `data/`: `systems.yaml`, and lists of symbols that `extract.py` makes from Debian's
packages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from packaging.version import Version
from pydantic import BaseModel, ConfigDict, TypeAdapter

DATA = Path(__file__).parent / "data"
#: Where gcc's libraries are listed; they serve all systems.
GCC = "gcc-16"
#: Versions of libc that name a feature: since which glibc they are there (its NEWS).
FEATURES = {"GLIBC_ABI_DT_RELR": "2.36"}
#: What the interpreter itself has loaded, so that a module may use it without naming it. Debian's
#: and our own link to these.
LOADED = (
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "libutil.so.1",
    "ld-linux-armhf.so.3",
)


class System(BaseModel):
    """A release of Raspberry Pi OS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    glibc: str
    gcc: str
    glibcxx: str
    cxxabi: str
    symbols: str

    def has(self, version: str) -> bool:
        """Whether the libraries have a symbol version; other people's versions are not judged."""
        wanted = _wanted(version)
        if wanted is None:
            return True
        family, number = wanted
        # 10 stands for every 10.x.
        newest = {
            "GLIBC": self.glibc,
            "GCC": self.gcc + ".99",
            "GLIBCXX": self.glibcxx,
            "CXXABI": self.cxxabi,
        }
        return family not in newest or number <= Version(newest[family])

    def exports(self, library: str) -> Mapping[str, frozenset[str]] | None:
        """The symbols of a library with their versions; None where they are not known."""
        return _exports(self, library)


def _wanted(version: str) -> tuple[str, Version] | None:
    """GCC_14.0.0 as ("GCC", 14.0.0): libgcc_s names its versions by gcc's."""
    if version in FEATURES:
        return "GLIBC", Version(FEATURES[version])
    match = re.fullmatch(r"([A-Z]+)_(\d+(?:\.\d+)*)", version)
    return (match[1], Version(match[2])) if match else None


@cache
def systems() -> tuple[System, ...]:
    """All systems, oldest first."""
    data = yaml.safe_load((DATA / "systems.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(tuple[System, ...]).validate_python(data)


def system_with(glibc: str) -> System:
    """The oldest system with at least this glibc; else the newest of all."""
    fitting = (system for system in systems() if Version(system.glibc) >= Version(glibc))
    return next(fitting, systems()[-1])


@cache
def _exports(system: System, library: str) -> Mapping[str, frozenset[str]] | None:
    path = next(
        (DATA / f / library for f in (system.symbols, GCC) if (DATA / f / library).is_file()), None
    )
    if path is None:
        return None
    found: dict[str, set[str]] = {}
    version, there = "", True
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            version = line[1:-1]
            there = system.has(version)
        elif there and not line.startswith("#"):
            found.setdefault(line, set()).add(version)
    return {name: frozenset(versions) for name, versions in found.items()}
