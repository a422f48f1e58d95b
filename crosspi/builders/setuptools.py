"""`setup.py` of setuptools or distutils, from the time before PEP 517.

It runs on a Python of the build machine: the machine's own, or one that a part has built because
the source cannot be read by a newer one. What `setup.py` asks about its Python is answered for the
target: configuration from the target's own `_sysconfigdata`, headers, platform, the width of
pointers, and the cross compiler.
"""

from __future__ import annotations

from crosspi.builders.answers import ANSWERS, answers, environment_of
from crosspi.builders.context import BuildContext, fill_tree, prepare_sources
from crosspi.containers.job import Command
from crosspi.data.recipe_data import SetuptoolsBuild
from crosspi.places import SOURCES, TREE, WORK

#: Where the part that `build.python` names lies.
BUILD_PYTHON = "/build-python"
_TOOLS = f"{WORK}/tools"


def compile_commands(build: SetuptoolsBuild, context: BuildContext) -> list[Command]:
    """Nothing: `setup.py` sees Python from the start."""
    del build, context
    return []


def python_commands(build: SetuptoolsBuild, context: BuildContext) -> list[Command]:
    """Unpack the tools, build the wheel, and unpack it into the tree."""
    assert context.cell is not None
    target = build.targets.get(context.toolchain.name)
    include = context.python["include"]
    environment = {
        **build.environment,
        **(target.environment if target else {}),
        "PYTHONPATH": f"{ANSWERS}:{_TOOLS}",
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment_of(context.toolchain),
    }
    flags = [*build.flags, *(target.flags if target else ())]
    if flags:
        environment["CFLAGS"] = " ".join(flags)
    return [
        *prepare_sources(context),
        *({"unpack": f"{SOURCES}/{tool}/*.whl", "to": _TOOLS} for tool in build.tools),
        *answers(include, linked=bool(context.libraries)),
        {
            "argv": [
                _program(build),
                "setup.py",
                *("build", *(context.fill(argument) for argument in build.arguments)),
                *("bdist_wheel", "--dist-dir", f"{WORK}/wheel"),
            ],
            "cwd": context.source(build.source),
            "environment": {name: context.fill(value) for name, value in environment.items()},
        },
        {"unpack": f"{WORK}/wheel/*.whl", "to": TREE},
        *fill_tree(context),
    ]


def _program(build: SetuptoolsBuild) -> str:
    """The Python that runs `setup.py`: the part build-python-2.7 has a python2.7."""
    if not build.python:
        return "python3"
    return f"{BUILD_PYTHON}/bin/python{build.python.rpartition('-')[2]}"
