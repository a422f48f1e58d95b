"""configure, make and make install, beside the source and under DESTDIR."""

from __future__ import annotations

from crosspi.builders.context import INSTALLED, BuildContext, fill_prefix, prepare_sources
from crosspi.containers.job import Command
from crosspi.data.recipe_data import AutotoolsBuild
from crosspi.places import WORK

_BUILD = f"{WORK}/build"


def compile_commands(build: AutotoolsBuild, context: BuildContext) -> list[Command]:
    """Nothing: only libraries and archives are made with it, and they share nothing."""
    del build, context
    return []


def prefix_commands(build: AutotoolsBuild, context: BuildContext) -> list[Command]:
    """Configure, make, install, and fill the tree."""
    target = build.targets.get(context.toolchain.name)
    arguments = [*build.arguments, *(target.arguments if target else ())]
    variables = {
        "CC": "cross-cc",
        "CXX": "cross-c++",
        "AR": "cross-ar",
        "RANLIB": "cross-ranlib",
        # Without these configure says -g too; a wheel's modules are shared objects, and static
        # libraries become part of them.
        "CFLAGS": "-O2 -fPIC",
        "CXXFLAGS": "-O2 -fPIC",
        **build.variables,
        **(target.variables if target else {}),
    }
    return [
        *prepare_sources(context),
        {"argv": ["mkdir", "-p", _BUILD]},
        {
            "argv": [
                f"{context.source(build.source)}/configure",
                f"--host={context.toolchain.data.python.host}",
                f"--prefix={context.prefix}",
                *(context.fill(argument) for argument in arguments),
                *(f"{name}={context.fill(str(value))}" for name, value in variables.items()),
            ],
            "cwd": _BUILD,
        },
        {"argv": ["make", "-C", _BUILD, f"-j{context.jobs_text}"]},
        {"argv": ["make", "-C", _BUILD, "install", f"DESTDIR={INSTALLED}"]},
        *fill_prefix(context, installed=True),
    ]
