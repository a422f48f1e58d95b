"""Where things live: the checkout's data, the user's cache, the results."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path


@dataclass(frozen=True)
class Paths:
    """The folders of one crosspi run.

    Attributes:
        project: the checkout: recipes/, systems/, toolchains/, dockerfiles/.
        cache: everything that can be made again: sources, store, ccache, logs.
        dist: the results: wheels, their manifests, the index.
        extra_sources: the folder of `CROSSPI_SOURCES`, if it is set.
    """

    project: Path
    cache: Path
    dist: Path
    extra_sources: Path | None = None

    @classmethod
    def from_environment(cls, project: Path) -> Paths:
        """Read CROSSPI_CACHE, CROSSPI_DIST and CROSSPI_SOURCES."""
        cache = os.environ.get("CROSSPI_CACHE")
        dist = os.environ.get("CROSSPI_DIST")
        extra = os.environ.get("CROSSPI_SOURCES")
        return cls(
            project=project,
            cache=Path(cache).expanduser().absolute() if cache else user_cache_path("crosspi"),
            dist=Path(dist).expanduser().absolute() if dist else project / "dist",
            extra_sources=Path(extra).expanduser().absolute() if extra else None,
        )

    @property
    def recipes(self) -> Path:
        return self.project / "recipes"

    @property
    def systems(self) -> Path:
        return self.project / "systems"

    @property
    def toolchains(self) -> Path:
        return self.project / "toolchains"

    @property
    def benchmarks(self) -> Path:
        return self.project / "benchmarks"

    @property
    def dockerfiles(self) -> Path:
        return self.project / "dockerfiles"

    @property
    def sources(self) -> Path:
        return self.cache / "sources"

    @property
    def store(self) -> Path:
        return self.cache / "store"

    @property
    def audits(self) -> Path:
        """What the audit found in single files."""
        return self.cache / "audits"

    @property
    def logs(self) -> Path:
        return self.cache / "logs"
