"""Plain make: variables on its command line, and what it installs under DESTDIR."""

from __future__ import annotations

from crosspi.builders.context import INSTALLED, BuildContext, fill_prefix, prepare_sources
from crosspi.containers.job import Command
from crosspi.data.recipe_data import MakeBuild, Scalar


def compile_commands(build: MakeBuild, context: BuildContext) -> list[Command]:
    """Nothing: only libraries and archives are made with it, and they share nothing."""
    del build, context
    return []


def prefix_commands(build: MakeBuild, context: BuildContext) -> list[Command]:
    """Make, install, and fill the tree."""
    target = build.targets.get(context.toolchain.name)
    variables = {**build.variables, **(target.variables if target else {})}
    assignments = [f"{name}={_value(value, context)}" for name, value in variables.items()]
    make = ["make", "-C", f"{context.source(build.source)}/{build.folder}"]
    return [
        *prepare_sources(context),
        {"argv": [*make, f"-j{context.jobs_text}", *assignments, *build.build]},
        {"argv": [*make, *assignments, f"DESTDIR={INSTALLED}", *build.install]},
        *fill_prefix(context, installed=True),
    ]


def _value(value: Scalar, context: BuildContext) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return context.fill(str(value))
