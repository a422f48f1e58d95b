"""The graph of steps behind the products of a request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crosspi.containers.images import Image
from crosspi.data.part import Part, PartSmoke
from crosspi.data.recipe import Package, Recipe
from crosspi.data.recipe_data import Product
from crosspi.data.targets import Cell, PackagedPython, Slot, Toolchain
from crosspi.prefixes import archive_in
from crosspi.project import Project, Request
from crosspi.steps.archive import archive_step
from crosspi.steps.audit import audit_step, part_audit_step, prefix_audit_step
from crosspi.steps.compiling import build_step, compile_step, programs_step
from crosspi.steps.image import root_image, tools_image
from crosspi.steps.libraries import Libraries
from crosspi.steps.linked import linked_step
from crosspi.steps.part import part_step
from crosspi.steps.part_smoke import part_smoke_step
from crosspi.steps.prefix import prefix_step
from crosspi.steps.program_smoke import program_smoke_step
from crosspi.steps.python import image_name, packaged_image, python_step
from crosspi.steps.smoke import smoke_step
from crosspi.steps.source import source_step
from crosspi.steps.toolchain import toolchain_step
from crosspi.steps.wheel import wheel_step
from crosspi.wheels import wheel_in
from crosspi.work.plan import Step
from crosspi.work.store import Entry


@dataclass(frozen=True)
class ProductSteps:
    """The last steps of one product.

    Attributes:
        kind: what it is.
        recipe, cell: of what, for what.
        built: the step that made what is in it.
        product: the step whose result it is.
        audit, smokes: its proofs.
        installs: those of the wheels that pip installs along with a wheel.
    """

    kind: Product
    recipe: Recipe
    cell: Slot
    built: Step
    product: Step
    audit: Step
    smokes: tuple[Step, ...]
    installs: tuple[ProductSteps, ...] = ()

    @property
    def published(self) -> bool:
        """Whether it gets into the index: a library is there for other recipes alone."""
        return self.kind != "library"

    def file(self, made: Entry) -> Path:
        """The one file of its step's result."""
        return wheel_in(made.out) if self.kind == "wheel" else archive_in(made.out)

    @property
    def goals(self) -> tuple[Step, ...]:
        """The product and its proofs: the audit, and a smoke test for each emulated board."""
        return self.product, self.audit, *self.smokes


@dataclass(frozen=True)
class System:
    """The steps behind the system that tests of a cell run on.

    Attributes:
        image: where tests run.
        python: what a build must know of the interpreter.
        proofs: audit and smoke test of the system in the image, where that is built here.
    """

    image: Image
    python: Step
    proofs: tuple[Step, ...] = ()


class Graph:
    """The steps of requests. The same step is made once, however many products need it."""

    def __init__(self, project: Project, *, level: str = "default") -> None:
        self._project = project
        self._level = level
        self._machine = project.machine()
        self._toolchains: dict[str, Step] = {}
        self._compiled: dict[str, Step] = {}
        self._systems: dict[str, System] = {}
        self._products: dict[tuple[str, str], ProductSteps] = {}
        self._sources: dict[str, Step] = {}
        self._parts: dict[str, Step] = {}

    def products(self, request: Request) -> list[ProductSteps]:
        """The steps of every product of a request, with those of the products that these need.

        Raises:
            UsageError: something of it cannot be built, by the data.
        """
        self._project.check(request)
        for package, cell in request.wanted:
            if isinstance(cell, Cell):
                self._wheel(package, cell)
            else:
                self._prefixed(package, cell.toolchain)
        return list(self._products.values())

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

    def system(self, cell: Cell) -> System:
        """The steps behind the system that tests of a cell run on."""
        if cell.identifier not in self._systems:
            project = self._project
            data = cell.image
            assert data is not None, "the request was checked"
            proofs: tuple[Step, ...] = ()
            if isinstance(data, PackagedPython):
                image = project.known(
                    packaged_image(
                        cell, data, project.paths.dockerfiles, project.engine, project.sources
                    )
                )
                image = replace(image, emulator=project.emulator)
            else:
                part = project.part(data.part)
                built = self.part(part)
                image = root_image(image_name(cell), built, project.engine, platform=data.platform)
                # What is in it is the part: the image's own key says so.
                image = replace(image, content="of its key", emulator=project.emulator)
                if part.data.audit != "none":
                    proofs += (part_audit_step(part, built, cell.toolchain),)
                if part.data.smoke is not None:
                    proofs += (self._part_smoke(part, part.data.smoke, cell, image, proofs),)
            python = python_step(cell, image, project.engine)
            self._systems[cell.identifier] = System(image, python, proofs)
        return self._systems[cell.identifier]

    def part(self, part: Part) -> Step:
        """The step that builds a part."""
        if part.name not in self._parts:
            project = self._project
            tools = project.paths.dockerfiles / part.data.image
            self._parts[part.name] = part_step(
                part,
                replace(
                    self._machine,
                    image=project.known(tools_image(tools, project.engine, project.sources)),
                ),
                {n: self.part(project.parts[p]) for n, p in part.data.needs.items()},
                self.source_steps(part),
            )
        return self._parts[part.name]

    def _part_smoke(
        self, part: Part, smoke: PartSmoke, cell: Cell, image: Image, audits: tuple[Step, ...]
    ) -> Step:
        project = self._project
        folders = {n: self.part(project.part(p)) for n, p in smoke.folders.items()}
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

    def _compile(self, package: Package, recipe: Recipe, toolchain: Toolchain) -> Step | None:
        """What the Pythons of a package share: one step for those variants that compile the same.

        The file itself, without a variant, has the plain name; what others compile is called after
        the first Python that it serves.
        """
        package = package.of(recipe.data.version)
        step = self._compile_as(recipe.label, recipe, toolchain)
        main = self._compile_as(recipe.label, package.recipes[-1], toolchain)
        if step is not None and (main is None or main.key != step.key):
            for version, python in self._project.targets.pythons.items():
                variant = package.recipe(version)
                same = self._compile_as(recipe.label, variant, toolchain) if variant else None
                if same is not None and same.key == step.key:
                    name = f"{recipe.label}-{python.data.tag}"
                    step = self._compile_as(name, recipe, toolchain)
                    break
        return None if step is None else self._compiled.setdefault(step.key, step)

    def _compile_as(self, name: str, recipe: Recipe, toolchain: Toolchain) -> Step | None:
        return compile_step(
            recipe,
            self.toolchain(toolchain),
            toolchain,
            self._machine,
            self.source_steps(recipe.compiled_once),
            libraries=self._libraries(recipe, toolchain),
            name=name,
        )

    def _program_smokes(self, package: Package, recipe: Recipe, cell: Cell) -> tuple[Step, ...]:
        """The tests of what the Pythons of a package share: once a board, whatever Pythons."""
        toolchain, programs = cell.toolchain, recipe.data.smoke.programs
        compiled = self._compile(package, recipe, toolchain)
        if compiled is None or programs is None:
            return ()
        linked = programs_step(
            recipe,
            self.toolchain(toolchain),
            toolchain,
            self._machine,
            compiled=compiled,
            sources=self.source_steps(recipe.with_programs),
            level=self._level,
            libraries=self._libraries(recipe, toolchain),
        )
        if linked is None:
            return ()
        linked = self._compiled.setdefault(linked.key, linked)
        system = self.system(self._project.targets.system(toolchain))
        made = (
            program_smoke_step(
                recipe,
                programs.folder,
                Slot(toolchain),
                emulated,
                image=system.image,
                product=compiled,
                linked=linked,
                proofs=system.proofs,
                engine=self._project.engine,
                sources=self._project.sources,
                level=self._level,
            )
            for emulated in toolchain.data.emulated
        )
        return tuple(self._compiled.setdefault(step.key, step) for step in made)

    def _wheel(self, package: Package, cell: Cell) -> ProductSteps:
        recipe = package.recipe(cell.python.version)
        assert recipe is not None, "the request was checked"
        key = (recipe.label, cell.identifier)
        if key in self._products:
            return self._products[key]
        needs = {
            name: self._wheel(self._project.recipes.seen_by(recipe, name), cell)
            for name in recipe.data.requires.build
        }
        direct = [
            self._wheel(self._project.recipes.meant(requirement), cell)
            for requirement in map(Requirement, recipe.data.requires.run)
            if canonicalize_name(requirement.name) in self._project.recipes.by_name
        ]
        # pip on the board installs what those need as well.
        installs = {w.recipe.name: w for d in direct for w in (d, *d.installs)}.values()
        built = build_step(
            recipe,
            cell,
            self._machine,
            toolchain_made=self.toolchain(cell.toolchain),
            python_made=self.system(cell).python,
            compiled=self._compile(package, recipe, cell.toolchain),
            interpreter=self.part(self._project.part(name))
            if (name := recipe.interpreter)
            else None,
            wheels={name: steps.product for name, steps in needs.items()},
            sources=self.source_steps(recipe.as_built),
            libraries=self._libraries(recipe, cell.toolchain),
        )
        self._products[key] = self._packed(recipe, cell, built, tuple(installs))
        return self._products[key]

    def _libraries(self, recipe: Recipe, toolchain: Toolchain) -> Libraries:
        """What a recipe is linked with, and what that needs, each after what needs it."""
        found: dict[str, Step] = {}
        todo = list(recipe.data.requires.libraries)
        while todo:
            name = todo.pop(0)
            if name not in found:
                steps = self._prefixed(self._project.recipes.by_name[name], toolchain)
                found[name] = steps.built
                todo += steps.recipe.data.requires.libraries
        return Libraries(found)

    def _prefixed(self, package: Package, toolchain: Toolchain) -> ProductSteps:
        """The steps of a library or archive; of what is both, those of the archive prove both."""
        recipe = package.general
        key = (recipe.label, toolchain.name)
        if key not in self._products:
            built = prefix_step(
                recipe,
                self.toolchain(toolchain),
                toolchain,
                self._machine,
                self.source_steps(recipe.compiled_once),
                compiled=self._compile(package, recipe, toolchain),
                libraries=self._libraries(recipe, toolchain),
            )
            self._products[key] = self._archived(recipe, Slot(toolchain), built)
        return self._products[key]

    def _archived(self, recipe: Recipe, slot: Slot, built: Step, number: int = 0) -> ProductSteps:
        archive = "archive" in recipe.data.makes
        product = archive_step(recipe, slot, built, self._machine, number) if archive else built
        audit = prefix_audit_step(recipe, slot, product, self._project.paths.audits)
        linked = linked_step(
            recipe,
            slot,
            product,
            self._machine,
            toolchain_made=self.toolchain(slot.toolchain),
            libraries=self._libraries(recipe, slot.toolchain),
        )
        system = self.system(self._project.targets.system(slot.toolchain))
        smokes = tuple(
            program_smoke_step(
                recipe,
                "smoke",
                slot,
                emulated,
                image=system.image,
                product=product,
                linked=linked,
                proofs=(audit, *system.proofs),
                engine=self._project.engine,
                sources=self._project.sources,
                level=self._level,
            )
            for emulated in slot.toolchain.data.emulated
        )
        kind: Product = "archive" if archive else "library"
        return ProductSteps(kind, recipe, slot, built, product, audit, smokes)

    def numbered(self, steps: ProductSteps, number: int) -> ProductSteps:
        """The steps of the same product under a build number; 0 stands for none."""
        if not isinstance(steps.cell, Cell):
            return self._archived(steps.recipe, steps.cell, steps.built, number)
        return self._packed(steps.recipe, steps.cell, steps.built, steps.installs, number)

    def _packed(
        self,
        recipe: Recipe,
        cell: Cell,
        built: Step,
        installs: tuple[ProductSteps, ...],
        number: int = 0,
    ) -> ProductSteps:
        system = self.system(cell)
        wheel = wheel_step(recipe, cell, built, self._machine, number)
        audit = audit_step(recipe, cell, wheel, self._project.paths.audits)
        shared = self._program_smokes(self._project.recipes.by_name[recipe.name], recipe, cell)
        smokes = tuple(
            smoke_step(
                recipe,
                cell,
                emulated,
                image=system.image,
                wheels=[wheel, *(steps.product for steps in installs)],
                proofs=[audit, *(steps.audit for steps in installs), *system.proofs, *shared],
                engine=self._project.engine,
                sources=self._project.sources,
                level=self._level,
            )
            for emulated in cell.toolchain.data.emulated
        )
        return ProductSteps("wheel", recipe, cell, built, wheel, audit, smokes, installs)
