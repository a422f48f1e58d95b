"""`setup.py` on a Python of the build machine that answers for the target's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from making import ZEROS, context, load_recipe

from crosspi.builders import setuptools
from crosspi.containers.job import Command
from crosspi.data.recipe import Recipe
from crosspi.data.recipe_data import SetuptoolsBuild
from crosspi.data.targets import Cell

OLD = f"""\
name: old
version: "1.0"
summary: a made-up package
licence: MIT
homepage: https://example.org
pythons: ">=2.7"
sources:
  old:
    tree: {ZEROS}
    origins: [{{local: old}}]
  wheel:
    file: sha256:{64 * "3"}
    origins: [{{local: wheel-1-py2.py3-none-any.whl}}]
build:
  system: setuptools
  source: old
  tools: [wheel]
  arguments: ["-j{{jobs}}", --simd=none]
  flags: [-DOLD]
  environment: {{BLAS: None}}
  targets:
    toy: {{flags: [-DTOY], environment: {{TOY: "{{source:old}}"}}}}
"""
VALUES = {"version": "3.11", "tag": "cp311", "ext_suffix": ".toy.so", "include": "/python/i"}


def old(tmp_path: Path, text: str = OLD) -> Recipe:
    return load_recipe(tmp_path / "recipes", text)


def commands(recipe: Recipe, cell: Cell) -> list[Command]:
    build = recipe.data.build
    assert isinstance(build, SetuptoolsBuild)
    return setuptools.python_commands(build, context(recipe, cell, cell=cell, python=VALUES))


def running(recipe: Recipe, cell: Cell) -> Command:
    (found,) = [c for c in commands(recipe, cell) if "setup.py" in c.get("argv", [])]
    return found


def written(recipe: Recipe, cell: Cell, name: str) -> str:
    (found,) = [c for c in commands(recipe, cell) if c.get("to") == f"/work/answers/{name}"]
    return str(found["text"])


def test_nothing_is_compiled_without_python(tmp_path: Path, cell: Cell) -> None:
    recipe = old(tmp_path)
    assert isinstance(recipe.data.build, SetuptoolsBuild)
    assert setuptools.compile_commands(recipe.data.build, context(recipe, cell)) == []


def test_the_machines_own_python_runs_setup_py(tmp_path: Path, cell: Cell) -> None:
    command = running(old(tmp_path), cell)
    assert command["argv"][:5] == ["python3", "setup.py", "build", "-j4", "--simd=none"]
    assert command["cwd"] == "/work/src/old"


def test_a_part_gives_the_python_that_runs_setup_py(tmp_path: Path, cell: Cell) -> None:
    text = OLD.replace("  tools:", "  python: build-python-2.7\n  tools:")
    assert running(old(tmp_path, text), cell)["argv"][0] == "/build-python/bin/python2.7"


def test_the_environment_of_the_recipe_and_of_the_target(tmp_path: Path, cell: Cell) -> None:
    environment = running(old(tmp_path), cell)["environment"]
    assert environment["CFLAGS"] == "-DOLD -DTOY"
    assert environment["BLAS"] == "None"
    assert environment["TOY"] == "/work/src/old"
    assert environment["_PYTHON_HOST_PLATFORM"] == "linux-toyl"
    assert environment["PYTHONPATH"] == "/work/answers:/work/tools"


def test_no_flags_set_no_variable(tmp_path: Path, cell: Cell) -> None:
    text = OLD.replace("  flags: [-DOLD]\n", "").replace("flags: [-DTOY], ", "")
    assert "CFLAGS" not in running(old(tmp_path, text), cell)["environment"]


def test_tools_and_the_wheel_are_unpacked(tmp_path: Path, cell: Cell) -> None:
    found = commands(old(tmp_path), cell)
    assert {"unpack": "/src/wheel/*.whl", "to": "/work/tools"} in found
    assert {"unpack": "/work/wheel/*.whl", "to": "/out/tree"} in found


def answer(folder: Path, recipe: Recipe, cell: Cell, question: str) -> str:
    """What the Python that runs setup.py says, where the target's is this one."""
    target = folder / "sysconfigdata.py"
    variables = {"CC": "gcc", "EXT_SUFFIX": ".toy.so", "SOABI": "toy", "SIZEOF_SIZE_T": 4}
    target.write_text(f"build_time_vars = {variables}\n")
    for name in ("_sysconfigdata.py", "sitecustomize.py"):
        text = written(recipe, cell, name)
        (folder / name).write_text(text.replace("/python/sysconfigdata.py", str(target)))
    # Python 3.12 has none; the build machine's is older.
    (folder / "distutils").mkdir()
    for name in ("__init__.py", "sysconfig.py"):
        (folder / "distutils" / name).touch()
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import sys, sysconfig; print({question})"],
        env={"PYTHONPATH": str(folder), "_PYTHON_SYSCONFIGDATA_NAME": "_sysconfigdata"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CC", "cross-cc"),
        ("LDSHARED", "cross-cc -shared -lm"),
        ("AR", "cross-ar"),
        ("INCLUDEPY", "/python/i"),
        ("EXT_SUFFIX", ".toy.so"),
        # Else bdist_wheel refuses to make a wheel that its own Python would not take.
        ("SOABI", "cpython-{}{}".format(*sys.version_info)),
    ],
)
def test_what_the_build_asks_is_answered_for_the_target(
    tmp_path: Path, cell: Cell, variable: str, value: str
) -> None:
    question = f"sysconfig.get_config_var({variable!r})"
    assert answer(tmp_path, old(tmp_path), cell, question) == value


def test_pointers_are_as_wide_as_the_targets(tmp_path: Path, cell: Cell) -> None:
    assert answer(tmp_path, old(tmp_path), cell, "sys.maxsize") == str(2**31 - 1)


def test_the_headers_are_the_targets(tmp_path: Path, cell: Cell) -> None:
    question = "__import__('distutils.sysconfig').sysconfig.get_python_inc()"
    assert answer(tmp_path, old(tmp_path), cell, question) == "/python/i"
