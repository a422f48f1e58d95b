"""PEP 517 backends: their tools, their cross file, their environment."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from making import PEP517, context, load_recipe

from crosspi.builders import pep517
from crosspi.builders.shared import SHARED
from crosspi.containers.job import Command
from crosspi.data.recipe import Recipe
from crosspi.data.recipe_data import Pep517Build, SharedLibrary
from crosspi.data.targets import Cell

VALUES = {"version": "3.11", "tag": "cp311", "ext_suffix": ".toy.so", "include": "/python/i"}


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(tmp_path / "recipes", PEP517)


def build_of(recipe: Recipe) -> Pep517Build:
    assert isinstance(recipe.data.build, Pep517Build)
    return recipe.data.build


def commands(recipe: Recipe, cell: Cell) -> list[Command]:
    at = context(recipe, cell, cell=cell, python=VALUES)
    return pep517.python_commands(build_of(recipe), at)


def building(recipe: Recipe, cell: Cell) -> Command:
    (found,) = [c for c in commands(recipe, cell) if "build" in c.get("argv", [])[:3]]
    return found


def written(recipe: Recipe, cell: Cell, to: str) -> str:
    (found,) = [c for c in commands(recipe, cell) if c.get("to") == to]
    return str(found["text"])


def test_nothing_is_compiled_without_python(recipe: Recipe, cell: Cell) -> None:
    assert pep517.compile_commands(build_of(recipe), context(recipe, cell)) == []


def test_tools_are_installed_from_their_pinned_files(recipe: Recipe, cell: Cell) -> None:
    (argv,) = [c["argv"] for c in commands(recipe, cell) if "install" in c.get("argv", [])]
    assert {"--no-index", "--no-deps"} <= set(argv)
    assert argv[-1] == "/src/tool/tool-1-py3-none-any.whl"


def test_settings_of_the_recipe_and_of_the_target(recipe: Recipe, cell: Cell) -> None:
    argv = building(recipe, cell)["argv"]
    assert [a for a in argv if a.startswith("-C")] == [
        "-Csetup-args=--cross-file=/work/cross.ini",
        "-Csetup-args=-Dtoy=1",
        "-Ccompile-args=-j4",
    ]
    assert argv[-1] == "/work/src/other"
    assert "--no-isolation" in argv


def test_the_environment_of_the_recipe_and_of_the_target(recipe: Recipe, cell: Cell) -> None:
    environment = building(recipe, cell)["environment"]
    assert environment["HERE"] == "/work/src/other"
    assert environment["TOY"] == "1"
    assert environment["CC"] == "cross-cc"
    assert environment["_PYTHON_HOST_PLATFORM"] == "linux-toyl"
    assert environment["PATH"].split(":")[:2] == ["/work/bin", "/work/tools/bin"]


def test_the_whole_cross_file(recipe: Recipe, cell: Cell) -> None:
    parsed = configparser.ConfigParser()
    parsed.read_string(written(recipe, cell, "/work/cross.ini"))
    assert dict(parsed["host_machine"]) == {
        "system": "'linux'",
        "cpu_family": "'arm'",
        "cpu": "'toyv1'",
        "endian": "'little'",
    }
    assert dict(parsed["properties"]) == {
        "needs_exe_wrapper": "true",
        "pkg_config_libdir": "'/work/pkgconfig'",
        "answer": "42",
        "name": "'it\\'s'",
        "flag": "true",
        "list": "['a', 'b']",
    }
    binaries = parsed["binaries"]
    assert binaries["c"] == "'cross-cc'"
    assert binaries["cpp"] == "'cross-c++'"
    assert binaries["python"] == "'/work/bin/target-python'"


def test_the_targets_python_answers_meson_from_a_file(recipe: Recipe, cell: Cell) -> None:
    to = "/work/bin/target-python"
    (program,) = [c for c in commands(recipe, cell) if c.get("to") == to]
    assert program["executable"]
    assert "exec cat /python/meson-info.json" in program["text"]


def test_a_backend_sees_the_targets_version(recipe: Recipe, cell: Cell) -> None:
    text = written(recipe, cell, "/work/answers/sitecustomize.py")
    assert text.endswith('import platform; platform.python_version = lambda: "3.11.0"\n')


def test_pkg_config_knows_the_targets_python_alone(recipe: Recipe, cell: Cell) -> None:
    text = written(recipe, cell, "/work/pkgconfig/python3.pc")
    assert "Version: 3.11\n" in text
    assert "Cflags: -I/python/i\n" in text


def test_one_wheel_is_unpacked_into_the_tree(recipe: Recipe, cell: Cell) -> None:
    assert {"unpack": "/work/wheel/*.whl", "to": "/out/tree"} in commands(recipe, cell)


def test_setup_py_is_linked_with_libraries_and_meson_asks_for_them_itself(
    recipe: Recipe, cell: Cell
) -> None:
    answered = {}
    for name, build in (
        ("meson", build_of(recipe)),
        ("setuptools", build_of(recipe).model_copy(update={"meson": {}})),
    ):
        assert (name == "meson") == bool(build.meson)
        at = context(recipe, cell, cell=cell, python=VALUES, libraries=("zlib",))
        (found,) = [
            c["text"]
            for c in pep517.python_commands(build, at)
            if c.get("to", "").endswith("/_sysconfigdata.py")
        ]
        answered[name] = "/need/*/lib/*.a" in found
    assert answered == {"meson": False, "setuptools": True}


def test_a_library_that_modules_share_is_linked_before_and_carried(
    recipe: Recipe, cell: Cell
) -> None:
    """h5py's modules hand HDF5's ids to one another: each with its own copy knew none of them."""
    build = build_of(recipe).model_copy(
        update={
            "meson": {},
            "shared": {"hdf": SharedLibrary(archives=("hdf", "hdf_hl"), to="toy/lib")},
            "pythonpath": ("{recipe}/stand-in",),
        }
    )
    at = context(recipe, cell, cell=cell, python=VALUES, libraries=("hdf", "zlib"))
    found = pep517.python_commands(build, at)
    linked = ["python3", "/work/share.py", "/need", "hdf", f"libhdf-{recipe.name}.so", SHARED]
    argvs = [c.get("argv", []) for c in found]
    (backend,) = [i for i, argv in enumerate(argvs) if argv[1:3] == ["-m", "build"]]
    assert argvs.index([*linked, "hdf", "hdf_hl"]) < backend
    file = f"libhdf-{recipe.name}.so"
    carried = {"copy": f"{SHARED}/{file}", "to": f"/out/tree/toy/lib/{file}"}
    assert found.index(carried) > backend
    assert "/recipe/stand-in" in found[backend]["environment"]["PYTHONPATH"].split(":")


def test_without_shared_libraries_nothing_is_linked_before(recipe: Recipe, cell: Cell) -> None:
    assert not any("/work/share.py" in str(command) for command in commands(recipe, cell))
