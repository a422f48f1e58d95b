"""Build tools said once: locks of wheels that recipes name, `recipes/tools/NAME.pylock.toml`.

A lock is one of PEP 751, whose wheels have a file name (`path`) and a sha256: where they come from
is the user's own configuration of pip. What tests on a board see of a wheel is its unpacked tree;
the hash of that stands in `[packages.tool.crosspi]`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from packaging.pylock import Package as LockedPackage
from packaging.pylock import Pylock, PylockValidationError
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion
from pydantic import ValidationError

from crosspi.data.recipe_data import Pep517Build, RecipeData, SetuptoolsBuild
from crosspi.data.source import PypiOrigin, Source
from crosspi.errors import DataError, did_you_mean

SUFFIX = ".pylock.toml"
#: The Python and the C library of the build machine's image: Debian 12's (`dockerfiles/toolchain`).
BUILD_PYTHON = (3, 11)
BUILD_GLIBC = (2, 36)
#: Before the name of a source that tests on a board see of a tool set.
TESTS = "tool-"


@dataclass(frozen=True)
class ToolSet:
    """A lock: its wheels as files for a build, and as trees for tests.

    Attributes:
        name: of the set.
        files: the wheels, each a file, by package.
        trees: those of which the lock knows the unpacked tree, likewise.
    """

    name: str
    files: Mapping[str, Source]
    trees: Mapping[str, Source]

    @classmethod
    def load(cls, path: Path) -> ToolSet:
        """Read a lock.

        Raises:
            DataError: with all of its faults.
        """
        faults: list[str] = []
        files: dict[str, Source] = {}
        trees: dict[str, Source] = {}
        try:
            lock = Pylock.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, PylockValidationError, InvalidVersion) as error:
            raise _broken(path, [str(error)]) from error
        for package in lock.packages:
            place = f"packages.{package.name}"
            try:
                origin = _origin(package)
                tree = (package.tool or {}).get("crosspi", {}).get("tree")
                files[package.name] = Source(file=f"sha256:{origin.sha256}", origins=(origin,))
                if tree is not None:
                    trees[package.name] = Source(tree=tree, origins=(origin,))
            except ValidationError as error:
                faults += [
                    f"{place}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
                ]
            except ValueError as error:
                faults.append(f"{place}: {error}")
        if faults:
            raise _broken(path, faults)
        return cls(path.name.removesuffix(SUFFIX), files, trees)


def _broken(path: Path, faults: list[str]) -> DataError:
    return DataError(
        f"the lock {path.name} cannot be used",
        where="\n".join(f"{path}: {fault}" for fault in faults),
        fix="`invoke track --tools NAME` writes it anew from recipes/tools/tools.yaml",
    )


def _origin(package: LockedPackage) -> PypiOrigin:
    """Where a locked package's wheel comes from.

    Raises:
        ValueError: it has no one wheel, without a hash, or for another system.
    """
    if not package.wheels or package.version is None:
        raise ValueError("has no wheel, or no version: build tools are installed from wheels alone")
    if len(package.wheels) > 1:
        names = ", ".join(wheel.filename for wheel in package.wheels)
        raise ValueError(f"has several wheels, name the one that the build machine takes: {names}")
    (wheel,) = package.wheels
    if "sha256" not in wheel.hashes:
        raise ValueError(f"{wheel.filename} has no sha256")
    try:
        tags = parse_wheel_filename(wheel.filename)[3]
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from error
    if not any(map(_fits, tags)):
        raise ValueError(
            f"{wheel.filename} is for another system than the build machine: "
            f"CPython {'.'.join(map(str, BUILD_PYTHON))} on x86-64 Linux"
        )
    return PypiOrigin(
        pypi=package.name,
        version=str(package.version),
        file=wheel.filename,
        sha256=wheel.hashes["sha256"],
    )


def _fits(tag: Tag) -> bool:
    """Whether the build machine installs a wheel of a tag, or some Python on a board imports it."""
    return (tag.abi, tag.platform) == ("none", "any") or tag in _build_tags()


def _build_tags() -> frozenset[Tag]:
    old = ("manylinux1_x86_64", "manylinux2010_x86_64", "manylinux2014_x86_64", "linux_x86_64")
    major, minor = BUILD_GLIBC
    platforms = [f"manylinux_{major}_{n}_x86_64" for n in range(5, minor + 1)] + [*old]
    return frozenset(
        [
            *cpython_tags(BUILD_PYTHON, platforms=platforms),
            *compatible_tags(BUILD_PYTHON, platforms=platforms),
        ]
    )


@dataclass(frozen=True)
class ToolSets:
    """The locks of a folder, each read when a recipe names it."""

    folder: Path
    _read: dict[str, ToolSet] = field(default_factory=dict, compare=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The sets that there are."""
        paths = sorted(self.folder.glob(f"*{SUFFIX}"))
        return tuple(path.name.removesuffix(SUFFIX) for path in paths)

    def get(self, name: str) -> ToolSet:
        """A set by its name, which must be one of `names`.

        Raises:
            DataError: the lock has faults.
        """
        if name not in self._read:
            self._read[name] = ToolSet.load(self.folder / f"{name}{SUFFIX}")
        return self._read[name]

    def applied(self, data: RecipeData) -> RecipeData:
        """A recipe with its tool sets as what they stand for: sources, and tools of its build.

        Where a name is a source of the recipe's own, that is meant.

        Raises:
            DataError: a lock has faults.
        """
        sources = dict(data.sources)
        build, smoke = data.build, data.smoke
        if isinstance(build, Pep517Build | SetuptoolsBuild):
            tools: list[str] = []
            for name in build.tools:
                if name in sources or name not in self.names:
                    tools.append(name)
                    continue
                found = self.get(name).files
                sources |= {tool: source for tool, source in found.items() if tool not in sources}
                tools += found
            build = build.model_copy(update={"tools": tuple(dict.fromkeys(tools))})
        seen: dict[str, str] = {}
        for name in smoke.full_tools:
            if name in self.names:
                for tool, source in self.get(name).trees.items():
                    sources[TESTS + tool] = source
                    seen[TESTS + tool] = "."
        if seen:
            smoke = smoke.model_copy(update={"full_data": {**smoke.full_data, **seen}})
        return data.model_copy(update={"sources": sources, "build": build, "smoke": smoke})

    def unknown(self, data: RecipeData) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """The names of a recipe that are no tool set, nor a source: where they stand, and why."""
        build = data.build
        if isinstance(build, Pep517Build | SetuptoolsBuild):
            for position, name in enumerate(build.tools):
                if name not in data.sources and name not in self.names:
                    known = [*self.names, *data.sources]
                    yield (
                        ("build", "tools", position),
                        f"no tool set or source '{name}'; {did_you_mean(name, known)}",
                    )
        for position, name in enumerate(data.smoke.full_tools):
            place = ("smoke", "full_tools", position)
            if name not in self.names:
                yield place, f"no tool set '{name}'; {did_you_mean(name, self.names)}"
            elif not self.get(name).trees:
                yield place, f"the tool set '{name}' has no trees: tests see unpacked wheels"
