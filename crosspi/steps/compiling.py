"""The steps that run in build containers: making a toolchain, compiling, building wheels' trees."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from crosspi import guests, places
from crosspi.builders import autotools, cmake, make, pep517, setuptools
from crosspi.builders.context import BuildContext
from crosspi.containers.build_machine import (
    SCRATCH,
    BuildMachine,
    build_job,
    folder_digest,
    run_commands,
    source_mounts,
)
from crosspi.containers.job import Command, Job, Mount
from crosspi.containers.rooms import ROOM
from crosspi.data.recipe import Recipe
from crosspi.data.recipe_data import CMakeBuild
from crosspi.data.targets import Cell, Toolchain
from crosspi.digests import digest, digest_files
from crosspi.steps.libraries import NO_LIBRARIES, Libraries
from crosspi.steps.toolchain import COMPILE_ENVIRONMENT, TOOLCHAIN_ENVIRONMENT
from crosspi.work.plan import Step, Workspace

BUILDERS: Mapping[str, ModuleType] = {
    "autotools": autotools,
    "cmake": cmake,
    "make": make,
    "pep517": pep517,
    "setuptools": setuptools,
}
_KEEP = Path(guests.__file__).parent / "keep.py"


def compile_step(
    recipe: Recipe,
    toolchain_made: Step,
    toolchain: Toolchain,
    machine: BuildMachine,
    sources: Sequence[Step],
    *,
    libraries: Libraries = NO_LIBRARIES,
    name: str = "",
) -> Step | None:
    """The step that compiles what does not see Python, once a toolchain; None if there is none.

    Its result is what the recipe keeps of it: see `guests/keep.py`.

    Args:
        recipe: what is compiled.
        toolchain_made, toolchain, machine: with what, and where.
        sources: the steps of its sources.
        libraries: what it is linked with.
        name: of what is compiled, where variants of a package compile different things.
    """
    builder = BUILDERS[recipe.data.build.system]
    recipe = recipe.compiled_once
    context = BuildContext(
        recipe=recipe, toolchain=toolchain, jobs=machine.jobs, libraries=libraries.names
    )
    environment = {**COMPILE_ENVIRONMENT, **libraries.environment}
    commands: list[Command] = builder.compile_commands(recipe.data.build, context)
    if not commands:
        return None

    def act(work: Workspace) -> None:
        run_commands(
            machine,
            work,
            commands=commands,
            environment=environment,
            mounts=[
                Mount(work.results[toolchain_made.name], places.TOOLCHAIN),
                *source_mounts(recipe.data.sources, recipe.folder, machine),
                Mount(recipe.folder, places.RECIPE),
                Mount(_KEEP, cmake.KEEP),
                *libraries.mounts(work.results),
            ],
        )

    # How many run at once changes no result: a key knows no number of jobs.
    described = builder.compile_commands(recipe.data.build, replace(context, jobs=None))
    inputs = {
        "recipe": digest(described),
        **recipe_inputs(recipe),
        ROOM: machine.room(environment, Path(__file__), _KEEP),
    }
    needs = (machine.image.step, toolchain_made, *libraries.steps, *sources)
    return Step("compile", f"{name or recipe.label}-{toolchain.name}", inputs, needs, act)


def build_step(
    recipe: Recipe,
    cell: Cell,
    machine: BuildMachine,
    *,
    toolchain_made: Step,
    python_made: Step,
    compiled: Step | None,
    interpreter: Step | None,
    wheels: Mapping[str, Step],
    sources: Sequence[Step],
    libraries: Libraries = NO_LIBRARIES,
) -> Step:
    """The step that makes the tree of a wheel for one Python.

    Args:
        recipe: what is built.
        cell: for which Python and architecture.
        machine: where.
        toolchain_made, python_made, compiled: earlier steps.
        interpreter: the step of the part whose Python runs the build, if not the machine's own.
        wheels: the wheel steps of the recipes that it needs for building, by name.
        sources: the steps of its sources.
        libraries: what it is linked with.
    """
    builder = BUILDERS[recipe.data.build.system]
    recipe = recipe.as_built
    environment = {**TOOLCHAIN_ENVIRONMENT, **libraries.environment}

    def commands(python: Mapping[str, str], jobs: int | None) -> list[Command]:
        context = BuildContext(
            recipe=recipe,
            toolchain=cell.toolchain,
            jobs=jobs,
            cell=cell,
            python=python,
            libraries=libraries.names,
            compiled=compiled is not None,
        )
        result: list[Command] = builder.python_commands(recipe.data.build, context)
        return result

    def act(work: Workspace) -> None:
        python = work.results[python_made.name]
        values = json.loads((python / "python.json").read_text(encoding="utf-8"))
        mounts = [
            Mount(work.results[toolchain_made.name], places.TOOLCHAIN),
            *source_mounts(recipe.data.sources, recipe.folder, machine),
            Mount(recipe.folder, places.RECIPE),
            Mount(python, places.PYTHON),
            *libraries.mounts(work.results),
        ]
        first: list[Command] = []
        if compiled is not None:
            mounts.append(Mount(work.results[compiled.name], places.COMPILED))
        if interpreter is not None:
            mounts.append(Mount(work.results[interpreter.name], setuptools.BUILD_PYTHON))
        for name, wheel in wheels.items():
            mounts.append(Mount(work.results[wheel.name], f"/wheels/{name}"))
            first.append({"unpack": f"/wheels/{name}/*.whl", "to": f"{places.NEEDS}/{name}"})
        run_commands(
            machine,
            work,
            environment=environment,
            commands=[*first, *commands(values, machine.jobs)],
            mounts=mounts,
            tmpfs=(places.NEEDS,),
        )

    # The key is known before the interpreter is: its values stand in by their names. And how
    # many jobs run at once changes no result.
    names = ("version", "tag", "ext_suffix", "include")
    symbolic = commands({name: f"<python {name}>" for name in names}, None)
    inputs = {
        "recipe": digest(symbolic),
        **recipe_inputs(recipe),
        ROOM: machine.room(environment, Path(__file__)),
    }
    needs = [machine.image.step, toolchain_made, python_made, *wheels.values(), *sources]
    needs += libraries.steps
    needs += [step for step in (compiled, interpreter) if step is not None]
    subject = f"{recipe.label}-{cell.identifier}"
    return Step("build", subject, inputs, tuple(needs), act)


def programs_step(
    recipe: Recipe,
    toolchain_made: Step,
    toolchain: Toolchain,
    machine: BuildMachine,
    *,
    compiled: Step,
    sources: Sequence[Step],
    level: str,
    libraries: Libraries = NO_LIBRARIES,
) -> Step | None:
    """The step that builds the programs which test what was compiled; None if a level has none."""
    programs, build = recipe.data.smoke.programs, recipe.data.build
    targets = programs.built(level) if programs else ()
    if programs is None or not targets or not isinstance(build, CMakeBuild):
        return None
    recipe = recipe.with_programs
    context = BuildContext(
        recipe=recipe,
        toolchain=toolchain,
        jobs=machine.jobs,
        libraries=libraries.names,
        compiled=True,
    )
    environment = {**COMPILE_ENVIRONMENT, **libraries.environment}

    def act(work: Workspace) -> None:
        run_commands(
            machine,
            work,
            commands=cmake.program_commands(build, programs, targets, context),
            environment=environment,
            mounts=[
                Mount(work.results[toolchain_made.name], places.TOOLCHAIN),
                Mount(work.results[compiled.name], places.COMPILED),
                *source_mounts(recipe.data.sources, recipe.folder, machine),
                Mount(recipe.folder, places.RECIPE),
                *libraries.mounts(work.results),
            ],
        )

    described = cmake.program_commands(build, programs, targets, replace(context, jobs=None))
    folder = recipe.folder / programs.folder
    inputs = {
        "recipe": digest(described),
        "files of the programs": digest_files(folder, without={folder / "smoke.py"}),
        ROOM: machine.room(environment, Path(__file__)),
        "sources": _source_digest(recipe),
    }
    needs = (machine.image.step, toolchain_made, compiled, *libraries.steps, *sources)
    return Step("programs", compiled.subject, inputs, needs, act)


def shell_job(recipe: Recipe, toolchain_folder: Path, machine: BuildMachine, work: Path) -> Job:
    """A job for an interactive look into a build container."""
    return build_job(
        machine,
        ["bash"],
        environment=TOOLCHAIN_ENVIRONMENT,
        mounts=[
            Mount(toolchain_folder, places.TOOLCHAIN),
            *source_mounts(recipe.data.sources, recipe.folder, machine),
            Mount(recipe.folder, places.RECIPE),
            Mount(work, places.WORK, writable=True),
        ],
        tmpfs=("/tmp", places.OUT, SCRATCH),
    )


def recipe_inputs(recipe: Recipe) -> dict[str, str]:
    """What a key knows of a recipe's files and sources, beside the commands that are made of it."""
    # Of its patches only those that the step applies.
    applied = {recipe.folder / path for paths in recipe.data.patches.values() for path in paths}
    others = set((recipe.folder / "patches").rglob("*")) - applied
    return {
        "files of the recipe": folder_digest(recipe.folder, without=others),
        # Which source is called what: the steps of the sources do not know.
        "sources": _source_digest(recipe),
    }


def _source_digest(recipe: Recipe) -> str:
    return digest({name: source.digest for name, source in recipe.data.sources.items()})
