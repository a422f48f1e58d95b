"""What builders share: what a build may know, its sources, the wheel's tree."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from crosspi.containers.job import Command
from crosspi.data.recipe import Recipe, substitute
from crosspi.data.recipe_data import AddedFile, Licence
from crosspi.data.targets import Cell, Toolchain
from crosspi.places import (
    COMPILED,
    CROSS_FILE,
    LICENCES,
    NEEDS,
    OUT,
    RECIPE,
    SOURCES,
    TREE,
    WORK,
    ZIG,
)

#: Where a prefix is installed, as if it were the root folder (DESTDIR).
INSTALLED = f"{WORK}/installed"


@dataclass(frozen=True)
class BuildContext:
    """What a builder may know of the place where its commands run.

    Attributes:
        recipe: what is built.
        toolchain: for which architecture.
        jobs: how many compiles run at once; None where commands are only described.
        cell: for which Python, where the build sees one.
        python: the values of `{python:…}`.
        compiled: whether what was compiled once is there: then only patched sources are copied.
        libraries: those that it is linked with, and those that these need, by name.
    """

    recipe: Recipe
    toolchain: Toolchain
    jobs: int | None
    cell: Cell | None = None
    python: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    compiled: bool = False

    @property
    def prefix(self) -> str:
        """Where those that are linked with a library find it."""
        return f"{NEEDS}/{self.recipe.name}"

    def source(self, name: str) -> str:
        """Where a source lies: a copy in the work folder if it is patched or written to."""
        return f"{WORK}/src/{name}" if name in self.copied else f"{SOURCES}/{name}"

    @property
    def copied(self) -> tuple[str, ...]:
        """The sources that are copied, because the build changes them."""
        data = self.recipe.data
        writable = getattr(data.build, "writable", (data.build.source,))
        writable = () if self.compiled else writable
        return tuple(dict.fromkeys([*data.patches, *writable]))

    @property
    def jobs_text(self) -> str:
        """The number after `-j`."""
        return "" if self.jobs is None else str(self.jobs)

    @property
    def placeholders(self) -> dict[str, str]:
        """The values of a recipe's placeholders."""
        data = self.recipe.data
        return {
            "recipe": RECIPE,
            "build": f"{WORK}/build",
            "compiled": COMPILED,
            "tree": TREE,
            "prefix": self.prefix,
            "zig": ZIG,
            "cross_file": CROSS_FILE,
            "version": data.version,
            "jobs": self.jobs_text,
            **{f"source:{name}": self.source(name) for name in data.sources},
            **{
                f"need:{name}": f"{NEEDS}/{name}"
                for name in (*data.requires.build, *data.requires.libraries)
            },
            **{f"python:{name}": value for name, value in self.python.items()},
        }

    def fill(self, text: str) -> str:
        """A recipe's text with its placeholders filled."""
        return substitute(text, self.placeholders)


def named_sources(*texts: object) -> set[str]:
    """The sources that values of a recipe name."""
    return set(re.findall(r"\{source:([^{}]+)\}", str(texts)))


def prepare_sources(context: BuildContext, *, only: Collection[str] | None = None) -> list[Command]:
    """Copy the sources that the build changes, and patch them; of all of them, or of `only`."""
    commands: list[Command] = []
    for name in context.copied:
        if only is not None and name not in only:
            continue
        commands.append({"argv": ["mkdir", "-p", f"{WORK}/src"]})
        # Times are kept: build systems compare them.
        commands.append({"argv": ["cp", "-a", f"{SOURCES}/{name}", f"{WORK}/src/{name}"]})
        commands.append({"argv": ["chmod", "-R", "u+w", f"{WORK}/src/{name}"]})
        for patch in context.recipe.data.patches.get(name, ()):
            commands.append(
                {
                    "argv": [
                        *("patch", "--strip=1", "--batch", "--forward", "--fuzz=0"),
                        f"--directory={WORK}/src/{name}",
                        f"--input={RECIPE}/{patch}",
                    ]
                }
            )
    return commands


def fill_tree(context: BuildContext) -> list[Command]:
    """Put the recipe's own files and licences into the wheel's tree."""
    wheel, prefix = context.recipe.data.wheel, context.recipe.data.prefix
    licences = (*prefix.licences, *wheel.licences)
    return [*_added(context, wheel.files, licences), {"strip": TREE}]


def fill_prefix(context: BuildContext, *, installed: bool) -> list[Command]:
    """Put what was installed, and the recipe's own files and licences, into a prefix' tree."""
    prefix = context.recipe.data.prefix
    return [
        *([{"copy": f"{INSTALLED}{context.prefix}", "to": TREE}] if installed else []),
        *_added(context, prefix.files, prefix.licences),
        {"strip": TREE},
    ]


def _added(
    context: BuildContext, files: Iterable[AddedFile], licences: Iterable[Licence]
) -> list[Command]:
    commands: list[Command] = []
    unchanged = {f"source:{n}": f"{SOURCES}/{n}" for n in context.recipe.data.sources}
    for file in files:
        target = f"{TREE}/{context.fill(file.to)}"
        if file.text is not None:
            commands.append({"text": context.fill(file.text), "to": target})
        elif file.source is not None:
            commands.append({"copy": context.fill(file.source), "to": target})
    for licence in licences:
        name = f"{OUT}/licenses/{licence.of}/"
        # As it came: no patch is about it.
        source = substitute(licence.source, {**context.placeholders, **unchanged})
        commands.append({"copy": source, "to": name})
    # Of what is linked into it too.
    commands += [
        {"copy": f"{LICENCES}/{name}", "to": f"{OUT}/licenses"} for name in context.libraries
    ]
    return commands
