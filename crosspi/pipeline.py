"""From a request to published wheels: makes the graph of steps, has it run, and publishes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crosspi.auditing import REPORT, audit_step
from crosspi.compiling import build_step, compile_step, toolchain_step
from crosspi.console import Console
from crosspi.engine import Engine
from crosspi.errors import CrosspiError, DataError, Interrupted, UsageError, did_you_mean
from crosspi.images import Image, base_image, image_data, image_repositories, tools_image
from crosspi.index import is_published, publish
from crosspi.machine import BuildMachine
from crosspi.parts import Part, PartSmoke, load_parts, part_audit_step, part_step, root_image
from crosspi.paths import Paths
from crosspi.plan import SOURCE, Outcome, Step, Workspace, closure, execute
from crosspi.pythons import image_name, packaged_image, python_step
from crosspi.recipe import Package, Recipe, Recipes
from crosspi.smoke.part_smoke import part_smoke_step
from crosspi.smoke.running import smoke_step
from crosspi.sources.cache import SourceCache
from crosspi.sources.spec import Source
from crosspi.store import Entry, Store
from crosspi.targets import Cell, PackagedPython, Targets, Toolchain, split_words
from crosspi.wheel import manifest, wheel_in, wheel_step

#: The folder of `dockerfiles/` with the build machine of the recipes.
TOOLS = "toolchain"


@dataclass(frozen=True)
class Request:
    """What somebody asks for.

    Attributes:
        wheels: of which packages, for which Pythons and architectures; what they need comes along.
    """

    wheels: Sequence[tuple[Package, Cell]]

    @property
    def packages(self) -> set[str]:
        """The names of the packages."""
        return {package.name for package, _ in self.wheels}


@dataclass(frozen=True)
class WheelSteps:
    """The last steps of one wheel, and those of the wheels that pip installs along."""

    recipe: Recipe
    cell: Cell
    built: Step
    wheel: Step
    audit: Step
    smoke: Step
    installs: tuple[WheelSteps, ...]

    @property
    def goals(self) -> tuple[Step, Step, Step]:
        """The wheel and its proofs."""
        return self.wheel, self.audit, self.smoke


@dataclass(frozen=True)
class Board:
    """The steps behind the emulated board of a cell.

    Attributes:
        image: where tests run.
        python: what a build must know of the interpreter.
        proofs: audit and smoke test of the system in the image, where that is built here.
    """

    image: Image
    python: Step
    proofs: tuple[Step, ...] = ()


@dataclass
class Project:
    """The checkout's data and this user's caches: where everything starts.

    Attributes:
        paths: where things live.
        console: what the user sees.
        offline: open no socket.
        jobs: compiles at once.
    """

    paths: Paths
    console: Console
    offline: bool = False
    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    @cached_property
    def targets(self) -> Targets:
        return Targets.load(self.paths.toolchains)

    @cached_property
    def recipes(self) -> Recipes:
        return Recipes.load(self.paths.recipes)

    @cached_property
    def parts(self) -> Mapping[str, Part]:
        return load_parts(self.paths.recipes)

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
    def _engine(self) -> Engine:
        engine = Engine.connect()
        engine.remove_stale()
        return engine

    def engine(self) -> Engine:
        """The container engine; connects when it is first needed."""
        return self._engine

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
        log.parent.mkdir(parents=True, exist_ok=True)
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
            UsageError: a word is unknown, or target or Python is missing.
        """
        target_words = split_words(targets, "--target")
        python_words = split_words(pythons, "--python")
        if not target_words:
            boards = [b for t in self.targets.toolchains.values() for b in t.data.boards]
            raise UsageError(
                "for which board?",
                where="--target",
                fix="name one or more of: " + ", ".join(boards),
            )
        if not python_words:
            raise UsageError(
                "for which Python?",
                where="--python",
                fix="name one or more of: " + ", ".join(self.targets.pythons),
            )
        toolchains = {t.name: t for t in map(self.targets.toolchain, target_words)}
        chosen = {p.version: p for p in map(self.targets.python, python_words)}
        cells = [Cell(t, p) for t in toolchains.values() for p in chosen.values()]
        packages = self.recipes.select(split_words(recipes, "--recipe"))
        return Request([(package, cell) for cell in cells for package in packages])

    def refusal(self, package: Package, cell: Cell) -> str:
        """Why a package cannot be built for a cell, by the data; empty where it can."""
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
        return ""

    def check(self, request: Request) -> None:
        """That everything in a request can be built, by the data.

        Raises:
            UsageError: names all that cannot, and why.
        """
        refusals = [
            f"{package.name} for {cell.identifier}: {refusal}"
            for package, cell in request.wheels
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
            image=tools_image(self.paths.dockerfiles / TOOLS, self.engine, self.sources),
            sources=self.sources,
            caches=self.paths.cache,
            jobs=self.jobs,
        )


def source_step(name: str, source: Source, cache: SourceCache, base: Path) -> Step:
    """The step that fetches a source into the cache."""

    def act(work: Workspace) -> None:
        del work
        cache.fetch(name, source, base=base)

    def present() -> bool:
        return cache.path(source).exists()

    # A source is known by what it is: recipes may call it as they like.
    subject = f"{source.origins[0].filename}-{source.digest[:8]}"
    return Step(SOURCE, subject, {"pin": source.digest}, (), act, present)


class Graph:
    """The steps of requests. The same step is made once, however many wheels need it."""

    def __init__(self, project: Project, *, level: str = "default") -> None:
        self._project = project
        self._level = level
        self._machine = project.machine()
        self._toolchains: dict[str, Step] = {}
        self._compiled: dict[str, Step] = {}
        self._boards: dict[str, Board] = {}
        self._wheels: dict[tuple[str, str], WheelSteps] = {}
        self._sources: dict[str, Step] = {}
        self._parts: dict[str, Step] = {}

    def wheels(self, request: Request) -> list[WheelSteps]:
        """The steps of every wheel of a request, with the wheels that those need.

        Raises:
            UsageError: something of it cannot be built, by the data.
        """
        self._project.check(request)
        for package, cell in request.wheels:
            self._wheel(package, cell)
        return list(self._wheels.values())

    def source_steps(self, recipe: Recipe | Part) -> list[Step]:
        """One step for each source of a recipe."""
        steps = []
        for name, source in recipe.data.sources.items():
            if source.digest not in self._sources:
                self._sources[source.digest] = source_step(
                    name, source, self._project.sources, recipe.folder
                )
            steps.append(self._sources[source.digest])
        return steps

    def toolchain(self, toolchain: Toolchain) -> Step:
        """The step that makes a toolchain."""
        if toolchain.name not in self._toolchains:
            self._toolchains[toolchain.name] = toolchain_step(toolchain, self._machine)
        return self._toolchains[toolchain.name]

    def board(self, cell: Cell) -> Board:
        """The steps behind the emulated board of a cell."""
        if cell.identifier not in self._boards:
            project = self._project
            data = cell.image
            assert data is not None, "the request was checked"
            proofs: tuple[Step, ...] = ()
            if isinstance(data, PackagedPython):
                image = packaged_image(
                    cell, data, project.paths.dockerfiles, project.engine, project.sources
                )
            else:
                part = project.part(data.part)
                built = self._part(part)
                image = root_image(image_name(cell), built, project.engine, platform=data.platform)
                if not part.data.prebuilt:
                    proofs += (part_audit_step(part, built, cell.toolchain),)
                if part.data.smoke is not None:
                    proofs += (self._part_smoke(part, part.data.smoke, cell, image, proofs),)
            python = python_step(cell, image, project.engine)
            self._boards[cell.identifier] = Board(image, python, proofs)
        return self._boards[cell.identifier]

    def _part(self, part: Part) -> Step:
        if part.name not in self._parts:
            project = self._project
            tools = project.paths.dockerfiles / part.data.image
            self._parts[part.name] = part_step(
                part,
                replace(self._machine, image=tools_image(tools, project.engine, project.sources)),
                {n: self._part(project.parts[p]) for n, p in part.data.needs.items()},
                self.source_steps(part),
            )
        return self._parts[part.name]

    def _part_smoke(
        self, part: Part, smoke: PartSmoke, cell: Cell, image: Image, audits: tuple[Step, ...]
    ) -> Step:
        project = self._project
        folders = {n: self._part(project.part(p)) for n, p in smoke.folders.items()}
        return part_smoke_step(
            part,
            cell,
            image=image,
            engine=project.engine,
            sources=project.sources,
            folders=folders,
            audits=audits,
            level=self._level,
        )

    def _compile(self, recipe: Recipe, toolchain: Toolchain) -> Step | None:
        step = compile_step(
            recipe,
            self.toolchain(toolchain),
            toolchain,
            self._machine,
            self.source_steps(recipe.compiled_once),
        )
        # What the Pythons of a package share is one step.
        return None if step is None else self._compiled.setdefault(step.key, step)

    def _wheel(self, package: Package, cell: Cell) -> WheelSteps:
        key = (package.name, cell.identifier)
        if key in self._wheels:
            return self._wheels[key]
        recipe = package.recipe(cell.python.version)
        assert recipe is not None, "the request was checked"
        needs = {
            name: self._wheel(self._project.recipes.by_name[name], cell)
            for name in recipe.data.requires.build
        }
        names = [canonicalize_name(Requirement(r).name) for r in recipe.data.requires.run]
        direct = [
            self._wheel(self._project.recipes.by_name[name], cell)
            for name in names
            if name in self._project.recipes.by_name
        ]
        # pip on the board installs what those need as well.
        installs = {w.recipe.name: w for d in direct for w in (d, *d.installs)}.values()
        board = self.board(cell)
        built = build_step(
            recipe,
            cell,
            self._machine,
            toolchain_made=self.toolchain(cell.toolchain),
            python_made=board.python,
            compiled=self._compile(recipe, cell.toolchain),
            interpreter=self._part(self._project.part(name))
            if (name := recipe.interpreter)
            else None,
            wheels={name: steps.wheel for name, steps in needs.items()},
            sources=self.source_steps(recipe.as_built),
        )
        wheel = wheel_step(recipe, cell, built)
        audit = audit_step(recipe, cell, wheel)
        smoke = smoke_step(
            recipe,
            cell,
            image=board.image,
            wheels=[wheel, *(steps.wheel for steps in installs)],
            audits=[audit, *(steps.audit for steps in installs), *board.proofs],
            engine=self._project.engine,
            sources=self._project.sources,
            level=self._level,
        )
        self._wheels[key] = WheelSteps(recipe, cell, built, wheel, audit, smoke, tuple(installs))
        return self._wheels[key]


@dataclass(frozen=True)
class Result:
    """What a build came to."""

    outcomes: Sequence[Outcome]
    published: Sequence[Path]
    errors: Sequence[CrosspiError]
    wheels: Sequence[WheelSteps] = ()


def build(
    project: Project,
    request: Request,
    *,
    force: bool = False,
    keep_going: bool = False,
    level: str = "default",
) -> Result:
    """Build, prove and publish the wheels of a request; each as soon as it is proven.

    Errors of steps are in the result, after everything that could be done was done.

    Raises:
        UsageError: something of it cannot be built, by the data.
    """
    wheels = Graph(project, level=level).wheels(request)
    last = {steps.smoke.name: steps for steps in wheels}
    by_name: dict[str, Outcome] = {}
    published, errors = [], []
    for outcome in execute(
        [step for w in wheels for step in w.goals],
        project.store,
        project.console,
        project.paths.logs,
        force=force,
        keep_going=keep_going,
    ):
        by_name[outcome.step.name] = outcome
        if outcome.error is not None:
            errors.append(outcome.error)
        steps = last.get(outcome.step.name)
        entries = [e for step in steps.goals if (e := by_name[step.name].entry)] if steps else []
        if steps is None or len(entries) != len(steps.goals):
            continue
        try:
            published.append(_publish(project, steps, *entries))
        except Interrupted:
            raise
        except CrosspiError as error:
            errors.append(error)
    return Result(list(by_name.values()), published, errors, wheels)


def _publish(
    project: Project, steps: WheelSteps, wheel_entry: Entry, audited: Entry, tested: Entry
) -> Path:
    """Put a wheel into the index, if it is not there with this very proof; where it lies then."""
    dist = project.paths.dist
    wheel = wheel_in(wheel_entry.out)
    proof = {step.kind: step.key for step in steps.goals}
    if is_published(dist, wheel, proof):
        return dist / wheel.name
    audit = json.loads((audited.out / REPORT).read_text(encoding="utf-8"))
    smoke = json.loads((tested.out / "results.json").read_text(encoding="utf-8"))
    about = {**_costs(steps, project.store), "audit": audit, "smoke": smoke}
    text = manifest(steps.recipe, steps.cell, wheel, proof, tested.created, about)
    return publish(dist, wheel, text, audit, smoke)


def _costs(steps: WheelSteps, store: Store) -> dict[str, Mapping[str, object]]:
    """What the steps behind a wheel cost, as far as the store still knows."""
    costs: dict[str, Mapping[str, object]] = {}
    for step in closure([steps.smoke]):
        entry = store.find(step.kind, step.subject, step.key) if step.present is None else None
        if entry is not None:
            costs[f"step {step.name}"] = {"key": step.key, **asdict(entry.cost), **entry.notes}
    return costs
