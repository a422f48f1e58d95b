"""CMake with Ninja."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crosspi.builders.context import (
    INSTALLED,
    BuildContext,
    fill_prefix,
    fill_tree,
    named_sources,
    prepare_sources,
)
from crosspi.containers.job import Command
from crosspi.data.recipe_data import CMakeBuild, Scalar, SmokePrograms
from crosspi.places import BIN, OUT, RECIPE, WORK

#: Where the guest `keep.py` lies in the container.
KEEP = "/crosspi/keep.py"


def compile_commands(build: CMakeBuild, context: BuildContext) -> list[Command]:
    """Configure, and build the targets that do not see Python."""
    if not build.compile:
        return []
    return [
        *prepare_sources(context),
        _configure(build, context, {}),
        _ninja("build", context, build.compile),
        {"argv": ["python3", KEEP, f"{WORK}/build", OUT, *build.keep]},
    ]


def python_commands(build: CMakeBuild, context: BuildContext) -> list[Command]:
    """Build what sees Python, and fill the tree: of a project of its own, or all of the build's."""
    python = build.python
    assert python is not None
    seen = None
    if build.compile:
        files = context.recipe.data.wheel.files
        seen = {*python.sources, *named_sources(python.project, python.options, files)}
    return [
        *prepare_sources(context, only=seen),
        _configure(build, context, python.options, source=context.fill(python.project)),
        _ninja("build", context, python.build),
        *fill_tree(context),
    ]


def prefix_commands(build: CMakeBuild, context: BuildContext) -> list[Command]:
    """Build and install all, and fill the tree.

    Where something is compiled for Pythons too, a project of the recipe's own is installed, or
    nothing: then the recipe says which files of what was kept are the product.
    """
    files = context.recipe.data.prefix.files
    own = build.prefix
    if build.compile and own is None:
        only = named_sources(files)
        return [*prepare_sources(context, only=only), *fill_prefix(context, installed=False)]
    seen = named_sources(own.project, own.options, files) if own else None
    options: dict[str, Scalar] = {
        "CMAKE_INSTALL_PREFIX": context.prefix,
        # A wheel's modules are shared objects, and static libraries become part of them.
        "CMAKE_POSITION_INDEPENDENT_CODE": True,
        **(own.options if own else {}),
    }
    project = context.fill(own.project) if own else ""
    return [
        *prepare_sources(context, only=seen),
        _configure(build, context, options, source=project),
        _ninja("build", context, ()),
        {
            "argv": ["cmake", "--install", f"{WORK}/build"],
            "environment": {"DESTDIR": INSTALLED},
        },
        *fill_prefix(context, installed=True),
    ]


def project_commands(context: BuildContext, source: str) -> list[Command]:
    """Build a project of programs by itself, into the output folder."""
    build = CMakeBuild(system="cmake", source="")
    options: dict[str, Scalar] = {"CMAKE_RUNTIME_OUTPUT_DIRECTORY": OUT}
    return [
        _configure(build, context, options, source=source, folder="programs"),
        _ninja("programs", context, ()),
    ]


def program_commands(
    build: CMakeBuild, programs: SmokePrograms, targets: Sequence[str], context: BuildContext
) -> list[Command]:
    """Build test programs, of what was kept and with the build's options."""
    options = {**programs.options, "CMAKE_RUNTIME_OUTPUT_DIRECTORY": OUT}
    source = f"{RECIPE}/{programs.folder}"
    return [
        *prepare_sources(context, only=named_sources(programs.options)),
        _configure(build, context, options, source=source, folder="programs"),
        _ninja("programs", context, targets),
        {"strip": OUT},
    ]


def _configure(
    build: CMakeBuild,
    context: BuildContext,
    more_options: Mapping[str, Scalar],
    *,
    source: str = "",
    folder: str = "build",
) -> Command:
    target = build.targets.get(context.toolchain.name)
    flags = [*build.flags, *(target.flags if target else ())]
    options: dict[str, Scalar] = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": context.toolchain.data.python.cpu,
        "CMAKE_C_COMPILER": "cross-cc",
        "CMAKE_CXX_COMPILER": "cross-c++",
        "CMAKE_ASM_COMPILER": "cross-cc",
        # CMake wants whole paths for these.
        "CMAKE_AR": f"{BIN}/cross-ar",
        "CMAKE_RANLIB": f"{BIN}/cross-ranlib",
        "CMAKE_C_FLAGS": " ".join(flags),
        "CMAKE_CXX_FLAGS": " ".join(flags),
        "FETCHCONTENT_FULLY_DISCONNECTED": True,
        # The cross wrappers call ccache themselves; a project must not put another before it.
        "CCACHE_BINARY": "",
        **build.options,
        **(target.options if target else {}),
        **more_options,
    }
    return {
        "argv": [
            *("cmake", "-G", "Ninja"),
            *("-S", source or f"{context.source(build.source)}/{build.folder}"),
            *("-B", f"{WORK}/{folder}"),
            *(f"-D{name}={_value(value, context)}" for name, value in options.items()),
        ]
    }


def _value(value: Scalar, context: BuildContext) -> str:
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return context.fill(str(value))


def _ninja(folder: str, context: BuildContext, targets: Sequence[str]) -> Command:
    return {"argv": ["ninja", "-C", f"{WORK}/{folder}", f"-j{context.jobs_text}", *targets]}
