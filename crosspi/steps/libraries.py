"""What the steps in build containers need to be linked with libraries: mounts and variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crosspi import places
from crosspi.builders.libraries import library_environment
from crosspi.containers.job import Mount
from crosspi.work.plan import Step


@dataclass(frozen=True)
class Libraries:
    """The steps of the libraries that something is linked with, and of those that these need."""

    by_name: Mapping[str, Step] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.by_name)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self.by_name.values())

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that ordinary builds find them by."""
        return library_environment(self.by_name)

    def mounts(self, results: Mapping[str, Path]) -> list[Mount]:
        """Each library at `/need/NAME`, and its licences, which go where it goes."""
        return [
            mount
            for name, step in self.by_name.items()
            for mount in (
                Mount(results[step.name] / "tree", f"{places.NEEDS}/{name}"),
                Mount(results[step.name] / "licenses", f"{places.LICENCES}/{name}"),
            )
        ]


NO_LIBRARIES = Libraries()
