"""What a recipe's products ask of the rest of it: faults that no field's type can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crosspi.data.document import Fault
from crosspi.data.recipe_data import (
    AutotoolsBuild,
    CMakeBuild,
    MakeBuild,
    Pep517Build,
    RecipeData,
    SetuptoolsBuild,
)

#: The programs that test a library or archive: each file is one, or a CMake project makes them.
PROGRAMS = ("smoke/*.c", "smoke/*.cc", "smoke/*.cpp", "smoke/CMakeLists.txt")
#: Build systems that can make a wheel, and those that can make a prefix.
_OF_WHEELS = (CMakeBuild, Pep517Build, SetuptoolsBuild)
_OF_PREFIXES = (CMakeBuild, MakeBuild, AutotoolsBuild)


def python_alone(data: RecipeData) -> tuple[str, ...]:
    """The sources that the Python part of a build alone sees."""
    build = data.build
    return build.python.sources if isinstance(build, CMakeBuild) and build.python else ()


def compiled_once(data: RecipeData) -> bool:
    """Whether something is compiled once for all Pythons and for an archive."""
    return isinstance(data.build, CMakeBuild) and bool(data.build.compile)


def product_faults(data: RecipeData, folder: Path) -> Iterator[Fault]:
    """What is wrong with a recipe in view of what it makes.

    Args:
        data: the recipe.
        folder: its folder, where its tests are.
    """
    for position, product in enumerate(data.makes):
        if product in data.makes[:position]:
            yield Fault(("makes", position), f"'{product}' stands twice")
    if "wheel" in data.makes:
        yield from _wheel_faults(data)
    else:
        yield from _python_faults(data)
    if isinstance(data.build, CMakeBuild):
        yield from _compile_faults(data.build)
    if set(data.makes) - {"wheel"}:
        yield from _prefix_faults(data, folder)
    elif "prefix" in data.model_fields_set:
        yield Fault(("prefix",), "no product has it: say `makes: [library]` or `[archive]` too")
    elif isinstance(data.build, CMakeBuild) and data.build.prefix:
        yield Fault(("build", "prefix"), "no product has it: say `makes: [wheel, archive]`")


def _compile_faults(build: CMakeBuild) -> Iterator[Fault]:
    """What is compiled once is kept, and linked by a project of its own."""
    if build.compile and not build.keep:
        yield Fault(("build", "keep"), "say what of build.compile later steps need: lib*.a")
    elif build.keep and not build.compile:
        yield Fault(("build", "keep"), "nothing is compiled once (build.compile)")
    if build.prefix and not build.compile:
        yield Fault(("build", "prefix"), "nothing is compiled once (build.compile)")
    if build.compile and build.python and not build.python.project:
        text = "name the folder of the CMake project that links what was kept"
        yield Fault(("build", "python", "project"), text)


def _wheel_faults(data: RecipeData) -> Iterator[Fault]:
    if not data.pythons:
        yield Fault(("pythons",), "this field is required where a wheel is made")
    if not isinstance(data.build, _OF_WHEELS):
        yield Fault(("build", "system"), f"'{data.build.system}' makes no wheel")
    elif isinstance(data.build, Pep517Build):
        for name in data.build.shared:
            if name not in data.requires.libraries:
                fault = f"it is not linked with '{name}': name it in requires.libraries"
                yield Fault(("build", "shared", name), fault)
            elif data.build.meson:
                yield Fault(("build", "shared", name), "not with Meson, which has its own way")
    elif isinstance(data.build, CMakeBuild) and data.build.python is None:
        yield Fault(("build", "python"), "this field is required where a wheel is made")


def _python_faults(data: RecipeData) -> Iterator[Fault]:
    """A library or archive alone is for an architecture, whatever Pythons are there."""
    kinds = " and ".join(data.makes)
    for name in ("pythons", "unsupported", "wheel"):
        if name in data.model_fields_set:
            yield Fault((name,), f"it makes no wheel: take it out (what it makes: {kinds})")
    if isinstance(data.build, CMakeBuild) and data.build.python is not None:
        yield Fault(("build", "python"), f"it makes no wheel: no Python sees it ({kinds})")
    for name in ("build", "run"):
        if getattr(data.requires, name):
            yield Fault(("requires", name), f"wheels are for wheels: a {kinds} needs libraries")
    for name in ("full_data", "programs"):
        if name in data.smoke.model_fields_set:
            yield Fault(("smoke", name), "only the test of a wheel has it")


def _prefix_faults(data: RecipeData, folder: Path) -> Iterator[Fault]:
    kinds = " and ".join(kind for kind in data.makes if kind != "wheel")
    if not isinstance(data.build, _OF_PREFIXES):
        yield Fault(("build", "system"), f"'{data.build.system}' makes wheels, and no {kinds}")
    elif "wheel" in data.makes and not compiled_once(data):
        yield Fault(("build", "compile"), f"name what the {kinds} and all Pythons share")
    if not data.prefix.licences:
        yield Fault(("prefix", "licences"), f"a {kinds} carries the licences of what is in it")
    if not any(next(folder.glob(pattern), None) for pattern in PROGRAMS):
        yield Fault(("name",), f"there is no program that tests the {kinds}: write smoke/*.c")
