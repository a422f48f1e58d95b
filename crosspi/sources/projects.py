"""What an index says of a project: its files, by version, and the Pythons that they are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from crosspi.errors import SourceError, did_you_mean

#: How the names of source distributions end.
_SDISTS = (".tar.gz", ".zip")


@dataclass(frozen=True)
class ProjectFile:
    """A file of a project on an index.

    Attributes:
        name: its file name.
        version: as the name says it.
        requires_python: what the index says of it; empty where it says nothing.
        yanked: its maintainers took it back (PEP 592).
    """

    name: str
    version: Version
    requires_python: str = ""
    yanked: bool = False

    @property
    def is_sdist(self) -> bool:
        """Whether it is a source distribution."""
        return self.name.endswith(_SDISTS)

    @classmethod
    def parse(cls, name: str, requires_python: str | None, *, yanked: bool) -> ProjectFile | None:
        """A file of an index's page; None where the name is of neither wheel nor sdist."""
        try:
            if name.endswith(".whl"):
                version = parse_wheel_filename(name)[1]
            else:
                version = parse_sdist_filename(name)[1]
        except (InvalidSdistFilename, InvalidWheelFilename, InvalidVersion):
            return None
        return cls(name, version, requires_python or "", yanked)


@dataclass(frozen=True)
class Project:
    """A project's page on an index."""

    name: str
    files: Sequence[ProjectFile]

    @cached_property
    def versions(self) -> list[str]:
        """The versions that have a file, the newest first; of pre-releases and yanked ones none."""
        good = {f.version for f in self.files if not f.yanked and not f.version.is_prerelease}
        return [str(version) for version in sorted(good, reverse=True)]

    @property
    def newest(self) -> str:
        """The newest version; empty where there is none."""
        return next(iter(self.versions), "")

    def of(self, version: str) -> list[ProjectFile]:
        """The files of a version.

        Raises:
            SourceError: there are none; suggests near ones.
        """
        found = [file for file in self.files if file.version == Version(version)]
        if not found:
            raise SourceError(
                f"the index has no {self.name} {version}",
                where=f"project {self.name}",
                why=f"its newest version is {self.newest}" if self.newest else "it has no files",
                fix=did_you_mean(version, self.versions[:50]),
            )
        return found

    def sdist(self, version: str) -> str:
        """The source distribution of a version: its file name; .tar.gz before .zip.

        Raises:
            SourceError: there is none.
        """
        files = self.of(version)
        sdists = sorted(file.name for file in files if file.is_sdist)
        if not sdists:
            raise SourceError(
                f"{self.name} {version} has no source distribution on the index",
                where=f"project {self.name}",
                why="it has only wheels: " + ", ".join(sorted(f.name for f in files)[:5]),
                fix="name another origin in the recipe's sources: debian, url",
            )
        return sdists[0]

    def requires_python(self, version: str) -> str:
        """For which Pythons a version is, as the index says; empty where it does not."""
        files = [file for file in self.files if file.version == Version(version)]
        sdists = [file for file in files if file.is_sdist]
        return next((file.requires_python for file in [*sdists, *files]), "")
