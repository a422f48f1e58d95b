"""CMake: what is compiled once, and what is compiled per Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import CMAKE, PROGRAMS, context, load_recipe, once, write_programs

from crosspi.builders import cmake
from crosspi.containers.job import Command
from crosspi.data.recipe import Recipe
from crosspi.data.recipe_data import CMakeBuild
from crosspi.data.targets import Cell

VALUES = {"version": "3.11", "tag": "cp311", "ext_suffix": ".toy.so", "include": "/python/i"}


def build_of(recipe: Recipe) -> CMakeBuild:
    assert isinstance(recipe.data.build, CMakeBuild)
    return recipe.data.build


def compiling(recipe: Recipe, cell: Cell) -> list[Command]:
    return cmake.compile_commands(build_of(recipe), context(recipe, cell))


def python(recipe: Recipe, cell: Cell) -> list[Command]:
    compiled = bool(build_of(recipe).compile)
    told = context(recipe, cell, cell=cell, python=VALUES, compiled=compiled)
    return cmake.python_commands(build_of(recipe), told)


def argv(commands: list[Command], program: str) -> list[str]:
    (found,) = [c["argv"] for c in commands if c.get("argv", [""])[0] == program]
    return list(found)


def option(commands: list[Command], name: str) -> str | None:
    values = [a.split("=", 1)[1] for a in argv(commands, "cmake") if a.startswith(f"-D{name}=")]
    assert len(values) <= 1
    return values[0] if values else None


def test_the_compile_step_builds_the_named_targets(recipe: Recipe, cell: Cell) -> None:
    assert argv(compiling(recipe, cell), "ninja") == [
        "ninja", "-C", "/work/build", "-j4", "engine",
    ]  # fmt: skip


def test_the_python_step_builds_its_own(recipe: Recipe, cell: Cell) -> None:
    assert argv(python(recipe, cell), "ninja")[-1] == "module"


def test_only_the_python_step_sees_python(recipe: Recipe, cell: Cell) -> None:
    assert option(compiling(recipe, cell), "INCLUDES") is None
    assert option(python(recipe, cell), "INCLUDES") == "/python/i"
    assert "/python/" not in str(compiling(recipe, cell))


def test_each_step_configures_its_own_project(recipe: Recipe, cell: Cell) -> None:
    for commands, source in (
        (compiling(recipe, cell), "/src/main/sub"),
        (python(recipe, cell), "/recipe/module"),
    ):
        told = argv(commands, "cmake")
        assert told[:7] == ["cmake", "-G", "Ninja", "-S", source, "-B", "/work/build"]


def test_a_project_of_the_recipes_own_stands_in_for_the_sources(tmp_path: Path, cell: Cell) -> None:
    text = CMAKE.replace("  compile: [engine]\n", "").replace('  keep: ["lib*.a"]\n', "")
    text = text.replace(', ENGINE: "{compiled}/libengine.a"', "")
    recipe = load_recipe(tmp_path, text)
    assert compiling(recipe, cell) == []
    told = argv(python(recipe, cell), "cmake")
    assert told[:5] == ["cmake", "-G", "Ninja", "-S", "/recipe/module"]


def test_what_is_compiled_is_kept_and_linked(recipe: Recipe, cell: Cell) -> None:
    command = ["python3", "/crosspi/keep.py", "/work/build", "/out", "lib*.a"]
    assert compiling(recipe, cell)[-1] == {"argv": command}
    assert option(python(recipe, cell), "ENGINE") == "/work/compiled/libengine.a"
    # Their flags are the same.
    assert option(python(recipe, cell), "CMAKE_C_FLAGS") == "-g0 -toy"


def test_sources_are_copied_once(recipe: Recipe, cell: Cell) -> None:
    assert any(c.get("argv", [""])[0] == "cp" for c in compiling(recipe, cell))
    assert not any(c.get("argv", [""])[0] == "cp" for c in python(recipe, cell))


def test_a_later_step_copies_only_patched_sources_that_it_names(tmp_path: Path, cell: Cell) -> None:
    text = CMAKE.replace("ENGINE:", 'MORE: "{source:main}", ENGINE:')
    text += "patches: {main: [a.patch], extra: [a.patch]}\n"
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "a.patch").touch()
    commands = python(load_recipe(tmp_path, text), cell)
    copies = [c["argv"][2:] for c in commands if c.get("argv", [""])[0] == "cp"]
    assert copies == [["/src/main", "/work/src/main"]]
    assert option(commands, "MORE") == "/work/src/main"
    # A licence is the source's own.
    assert {"copy": "/src/main/LICENSE", "to": "/out/licenses/main/"} in commands


def test_without_a_compile_step_python_does_it_all(tmp_path: Path, cell: Cell) -> None:
    recipe = load_recipe(tmp_path, once(CMAKE))
    assert compiling(recipe, cell) == []
    assert python(recipe, cell)[1]["argv"] == ["cp", "-a", "/src/extra", "/work/src/extra"]


def test_a_targets_options_win_and_its_flags_are_added(recipe: Recipe, cell: Cell) -> None:
    commands = compiling(recipe, cell)
    assert option(commands, "OPTION") == "OFF"
    assert option(commands, "CMAKE_C_FLAGS") == option(commands, "CMAKE_CXX_FLAGS") == "-g0 -toy"


def test_other_targets_do_not_get_them(tmp_path: Path, cell: Cell) -> None:
    recipe = load_recipe(tmp_path, CMAKE.replace("    toy:", "    fun:"))
    assert option(compiling(recipe, cell), "OPTION") == "ON"
    assert option(compiling(recipe, cell), "CMAKE_C_FLAGS") == "-g0"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PLACE", "/src/main/x"), ("COPY", "/work/src/extra/y"), ("CMAKE_SYSTEM_PROCESSOR", "toyv1")],
)
def test_values_are_filled(recipe: Recipe, cell: Cell, name: str, value: str) -> None:
    assert option(compiling(recipe, cell), name) == value


def test_the_cross_compiler_compiles(recipe: Recipe, cell: Cell) -> None:
    commands = compiling(recipe, cell)
    assert option(commands, "CMAKE_C_COMPILER") == option(commands, "CMAKE_ASM_COMPILER")
    assert option(commands, "CMAKE_CXX_COMPILER") == "cross-c++"
    assert option(commands, "FETCHCONTENT_FULLY_DISCONNECTED") == "ON"


def test_the_python_step_fills_the_tree(recipe: Recipe, cell: Cell) -> None:
    assert python(recipe, cell)[-1] == {"strip": "/out/tree"}


def test_programs_are_configured_with_the_builds_options(tmp_path: Path, cell: Cell) -> None:
    write_programs(tmp_path)
    recipe = load_recipe(tmp_path, PROGRAMS)
    programs = recipe.data.smoke.programs
    assert programs is not None
    commands = cmake.program_commands(
        build_of(recipe), programs, programs.built("full"), context(recipe, cell)
    )
    told = argv(commands, "cmake")
    assert told[told.index("-S") :][:4] == ["-S", "/recipe/smoke-programs", "-B", "/work/programs"]
    assert option(commands, "OPTION") == "OFF"
    assert option(commands, "CMAKE_CXX_FLAGS") == "-g0 -toy"
    assert option(commands, "TESTER") == "/src/tester"
    assert option(commands, "BUILT") == "/work/compiled"
    assert argv(commands, "ninja")[2:] == ["/work/programs", "-j4", "quick", "slow"]
    assert option(commands, "CMAKE_RUNTIME_OUTPUT_DIRECTORY") == "/out"
    assert commands[-1] == {"strip": "/out"}
