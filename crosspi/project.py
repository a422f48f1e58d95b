"""The checkout's data and the user's caches: what somebody asks for, and what can be built."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crosspi.caches import OF_SETUP, make_cache
from crosspi.console import Console
from crosspi.containers.build_machine import BuildMachine
from crosspi.containers.contents import Contents, Remembered
from crosspi.containers.emulator import emulator_version
from crosspi.containers.engine import Engine
from crosspi.containers.images import Image, base_image, image_data, image_repositories
from crosspi.data.part import Part, load_parts
from crosspi.data.recipe import Package, Recipes
from crosspi.data.targets import Cell, Slot, Targets, split_words
from crosspi.errors import DataError, EngineError, Mistakes, UsageError, did_you_mean
from crosspi.paths import Paths
from crosspi.sources.cache import SourceCache
from crosspi.steps.image import tools_image
from crosspi.work.store import Store

#: The folder of `dockerfiles/` with the build machine of the recipes.
TOOLS = "toolchain"


@dataclass(frozen=True)
class Request:
    """What somebody asks for.

    Attributes:
        wanted: which packages, each for a Python on an architecture (its wheel) or for an
            architecture alone (its library or archive); what they need comes along.
    """

    wanted: Sequence[tuple[Package, Slot]]

    @property
    def packages(self) -> set[str]:
        """The names of the packages."""
        return {package.name for package, _ in self.wanted}


def _made(package: Package, slot: Slot, pythons: Sequence[str]) -> list[Package]:
    """What a package makes for a slot: where it makes wheels too, an archive of each version that
    a Python gets, since both are of one compile."""
    if isinstance(slot, Cell):
        return [package] if "wheel" in package.makes else []
    if set(package.makes) == {"wheel"}:
        return []
    if "wheel" not in package.makes or not pythons:
        return [package]
    serving = [recipe for python in pythons if (recipe := package.recipe(python))]
    return [package.of(version) for version in dict.fromkeys(r.data.version for r in serving)]


@dataclass
class Project:
    """The checkout's data and this user's caches: where everything starts.

    Attributes:
        paths: where things live.
        console: what the user sees.
        offline: open no socket.
        jobs: compiles at once.
        only_looks: nothing is run, so that an engine need not answer.
    """

    paths: Paths
    console: Console
    offline: bool = False
    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    only_looks: bool = False

    @cached_property
    def targets(self) -> Targets:
        return Targets.load(self.paths.toolchains)

    @cached_property
    def recipes(self) -> Recipes:
        return Recipes.load(self.paths.recipes)

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        return load_parts(self.paths.systems, taken=self.recipes.by_name)

    def part(self, name: str) -> Part:
        """A part by its name.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self.parts:
            raise DataError(
                f"there is no part '{name}'",
                where=str(self.paths.toolchains / "pythons.yaml"),
                fix=did_you_mean(name, self.parts),
            )
        return self.parts[name]

    @cached_property
    def store(self) -> Store:
        return Store(self.paths.store)

    @cached_property
    def _engine(self) -> Engine | EngineError:
        # Asked once: what does not answer may take long not to.
        try:
            engine = Engine.connect()
        except EngineError as error:
            return error
        engine.remove_stale()
        return engine

    def engine(self) -> Engine:
        """The container engine; connects when it is first needed.

        Raises:
            EngineError: none answers, and something is to be done.
        """
        if self.only_looks and isinstance(self._engine, EngineError):
            return Remembered(self.contents)
        return self._answering()

    def _answering(self) -> Engine:
        if isinstance(self._engine, EngineError):
            raise self._engine
        return self._engine

    @cached_property
    def contents(self) -> Contents:
        return Contents(self._answering, self.paths.store / "images")

    @cached_property
    def emulator(self) -> str:
        """What runs the boards' programs here, with its version."""
        return emulator_version()

    def known(self, image: Image) -> Image:
        """An image with what is in it."""
        return replace(image, content=self.contents.of(image.tag))

    @cached_property
    def sources(self) -> SourceCache:
        return SourceCache(
            self.paths.sources,
            extra=self.paths.extra_sources,
            offline=self.offline,
            repositories=self._repositories,
            log=self.console.line,
            progress=self.console.progress,
        )

    def _repositories(self) -> list[str]:
        """Debian's repositories as the base image's apt configuration names them."""
        log = self.paths.logs / "base-image.log"
        make_cache(log.parent, known=OF_SETUP)
        data = image_data(self.paths.dockerfiles / TOOLS)
        image = base_image(
            self.engine(), data.suite, data.architecture, log=log, line=self.console.line
        )
        return image_repositories(self.engine(), image)

    def request(
        self, targets: Sequence[str], pythons: Sequence[str], recipes: Sequence[str]
    ) -> Request:
        """Understand the words of a command line.

        Raises:
            UsageError: words are unknown, or target or Python is missing: all that is wrong.
        """
        mistakes = Mistakes()
        toolchains, packages, chosen = {}, [], {}
        with mistakes.noted():
            words = split_words(targets, "--target")
            toolchains = {t.name: t for t in mistakes.each(self.targets.toolchain, words)}
            if not words:
                boards = [b for t in self.targets.toolchains.values() for b in t.data.boards]
                raise UsageError(
                    "for which board?",
                    where="--target",
                    fix="name one or more of: " + ", ".join(boards),
                )
        with mistakes.noted():
            words = split_words(recipes, "--recipe")
            named = mistakes.each(lambda word: self.recipes.select([word]), words)
            packages = [p for ps in named for p in ps] if words else self.recipes.select([])
        with mistakes.noted():
            words = split_words(pythons, "--python")
            chosen = {p.version: p for p in mistakes.each(self.targets.python, words)}
            # What makes something else too makes that alone where no Python is named.
            if not words and any(set(package.makes) == {"wheel"} for package in packages):
                raise UsageError(
                    "for which Python?",
                    where="--python",
                    fix="name one or more of: " + ", ".join(self.targets.pythons),
                )
        mistakes.check()
        slots = [
            slot
            for t in toolchains.values()
            for slot in (*(Cell(t, p) for p in chosen.values()), Slot(t))
        ]
        return Request(
            [
                (made, slot)
                for slot in slots
                for package in packages
                for made in _made(package, slot, list(chosen))
            ]
        )

    def refusal(self, package: Package, cell: Slot) -> str:
        """Why a package cannot be built for a slot, by the data; empty where it can."""
        if not isinstance(cell, Cell):
            return ""  # what it needs is libraries, and none of these asks for a Python
        version = cell.python.version
        if cell.image is None:
            return f"no Python {version} is known for {cell.toolchain.name}"
        recipe = package.recipe(version)
        if recipe is None:
            return package.refusal(version)
        for need in recipe.needs:
            if need in self.recipes.by_name:
                refusal = self.refusal(self.recipes.by_name[need], cell)
                if refusal:
                    return f"it needs {need}: {refusal}"
        for text in recipe.data.requires.run:
            requirement = Requirement(text)
            served = self.recipes.by_name[canonicalize_name(requirement.name)].recipe(version)
            if served is not None and self.recipes.meant(requirement).recipe(version) is None:
                return f"it needs {text}, and the recipe for this Python is {served.data.version}"
        return ""

    def check(self, request: Request) -> None:
        """That everything in a request can be built, by the data.

        Raises:
            UsageError: names all that cannot, and why.
        """
        refusals = [
            f"{package.name} for {cell.identifier}: {refusal}"
            for package, cell in request.wanted
            if (refusal := self.refusal(package, cell))
        ]
        if refusals:
            raise UsageError(
                "some of that cannot be built",
                where="\n".join(refusals),
                fix="leave out these Pythons, or these recipes with --recipe; `invoke matrix` "
                "builds what can be built",
            )

    def machine(self) -> BuildMachine:
        """The build machine that all compile steps share."""
        return BuildMachine(
            engine=self.engine,
            image=self.known(
                tools_image(self.paths.dockerfiles / TOOLS, self.engine, self.sources)
            ),
            sources=self.sources,
            caches=self.paths.cache,
            jobs=self.jobs,
        )
