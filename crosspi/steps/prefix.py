"""The step that builds a library or what is in an archive: a prefix, once an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crosspi import places, prefixes
from crosspi.builders.context import BuildContext
from crosspi.containers.build_machine import BuildMachine, run_commands, source_mounts
from crosspi.containers.job import Command, Mount
from crosspi.containers.rooms import ROOM
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Toolchain
from crosspi.digests import digest
from crosspi.prefixes import finish_prefix
from crosspi.steps.compiling import BUILDERS, recipe_inputs
from crosspi.steps.libraries import NO_LIBRARIES, Libraries
from crosspi.steps.toolchain import COMPILE_ENVIRONMENT
from crosspi.work.plan import Step, Workspace


def prefix_step(
    recipe: Recipe,
    toolchain_made: Step,
    toolchain: Toolchain,
    machine: BuildMachine,
    sources: Sequence[Step],
    *,
    compiled: Step | None = None,
    libraries: Libraries = NO_LIBRARIES,
) -> Step:
    """The step that makes a prefix: `tree/` and `licenses/`.

    Args:
        recipe: what is built.
        toolchain_made, toolchain, machine: with what, and where.
        sources: the steps of its sources.
        compiled: made what it shares with wheels, if it does.
        libraries: what it is linked with.
    """
    builder = BUILDERS[recipe.data.build.system]
    recipe = recipe.compiled_once
    context = BuildContext(
        recipe=recipe,
        toolchain=toolchain,
        jobs=machine.jobs,
        libraries=libraries.names,
        compiled=compiled is not None,
    )
    commands: list[Command] = builder.prefix_commands(recipe.data.build, context)
    environment = {**COMPILE_ENVIRONMENT, **libraries.environment}

    def act(work: Workspace) -> None:
        mounts = [
            Mount(work.results[toolchain_made.name], places.TOOLCHAIN),
            *source_mounts(recipe.data.sources, recipe.folder, machine),
            Mount(recipe.folder, places.RECIPE),
            *libraries.mounts(work.results),
        ]
        if compiled is not None:
            mounts.append(Mount(work.results[compiled.name], places.COMPILED))
        run_commands(machine, work, commands=commands, environment=environment, mounts=mounts)
        tree = work.out / "tree"
        finish_prefix(tree, recipe)
        work.notes["files"] = sum(path.is_file() for path in tree.rglob("*"))

    described = builder.prefix_commands(recipe.data.build, replace(context, jobs=None))
    inputs = {
        "recipe": digest([described, recipe.data.prefix.exclude]),
        **recipe_inputs(recipe),
        ROOM: machine.room(environment, Path(__file__), Path(prefixes.__file__)),
    }
    needs = [machine.image.step, toolchain_made, *libraries.steps, *sources]
    needs += [] if compiled is None else [compiled]
    return Step("prefix", f"{recipe.label}-{toolchain.name}", inputs, tuple(needs), act)
