"""A copy of the checkout with a small package in it, and what a command did there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from crosspi.sources.treehash import tree_hash

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = ("crosspi", "dockerfiles", "toolchains", "tasks.py", "requirements.lock")

BUILD = ("build", "--target", "pi3", "--python", "3.11")

CODE = {
    "CMakeLists.txt": """
        cmake_minimum_required(VERSION 3.20)
        project(hello C)
        add_library(core STATIC core.c)
        set_target_properties(core PROPERTIES POSITION_INDEPENDENT_CODE ON)
        """,
    "module/CMakeLists.txt": """
        cmake_minimum_required(VERSION 3.20)
        project(module C)
        add_library(_hello MODULE ../hello.c)
        set_target_properties(_hello PROPERTIES PREFIX "")
        target_include_directories(_hello PRIVATE ${CROSSPI_PYTHON_INCLUDES})
        target_link_libraries(_hello PRIVATE ${CORE})
        """,
    "core.c": """
        float half(float value) { return value / 2; }
        """,
    "hello.c": """
        #include <Python.h>
        float half(float value);
        static PyObject *call(PyObject *self, PyObject *argument) {
            return PyFloat_FromDouble(half((float)PyFloat_AsDouble(argument)));
        }
        static PyMethodDef methods[] = {{"half", call, METH_O, ""}, {0}};
        static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_hello", 0, -1, methods};
        PyMODINIT_FUNC PyInit__hello(void) { return PyModule_Create(&module); }
        """,
    "LICENSE": "none\n",
}
SMOKE = """
    def test_half(case):
        import _hello
        case.equal(_hello.half(3.0), 1.5)
    """
RECIPE = """
    name: hello
    version: "1.0"
    summary: a module with one function
    licence: Apache-2.0
    homepage: https://example.org
    default: true
    pythons: ">=3.5"
    sources:
      code: {{tree: "{tree}", origins: [{{local: code}}]}}
    build:
      system: cmake
      source: code
      compile: [core]
      keep: [libcore.a]
      python:
        project: "{{source:code}}/module"
        options: {{CROSSPI_PYTHON_INCLUDES: "{{python:include}}", CORE: "{{compiled}}/libcore.a"}}
        build: [_hello]
    wheel:
      files:
        - {{from: "{{build}}/_hello.so", to: "_hello{{python:ext_suffix}}"}}
      licences: [{{of: hello, from: "{{source:code}}/LICENSE"}}]
    """


def write_hello(
    recipe: Path, *, smoke: str = SMOKE, replace: Mapping[str, str] | None = None
) -> None:
    """Make the recipe `hello` in a folder, with some of its code replaced."""
    shutil.rmtree(recipe, ignore_errors=True)
    for name, text in {**CODE, **(replace or {})}.items():
        path = recipe / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    (recipe / "smoke.py").write_text(dedent(smoke))
    text = dedent(RECIPE).format(tree=tree_hash(recipe / "code"))
    (recipe / "recipe.yaml").write_text(text)


@dataclass(frozen=True)
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class Workshop:
    """A copy of the checkout with recipes of its own; the store is that of the session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []
        for name in DATA:
            source = CHECKOUT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / name, ignore=ignored)
            else:
                shutil.copy2(source, folder / name)
        (folder / "recipes").mkdir()
        # The system in which tests for a board run may be made of parts.
        for part in CHECKOUT.glob("systems/*/part.yaml"):
            shutil.copytree(part.parent, folder / "systems" / part.parent.name)

    @property
    def dist(self) -> Path:
        return self.folder / "dist"

    def hello(self, *, smoke: str = SMOKE, replace: Mapping[str, str] | None = None) -> None:
        """Write the recipe `hello`, with some of its code replaced."""
        write_hello(self.folder / "recipes" / "hello", smoke=smoke, replace=replace)

    def environment(self, **more: str) -> dict[str, str]:
        environment = {**os.environ, **more}
        environment.pop("CROSSPI_DIST", None)
        return environment

    def invoke(self, *arguments: str, **environment: str) -> Run:
        """Run an Invoke task in this copy."""
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start an Invoke task in this copy."""
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self._started:
            process.kill()
