"""The house's own rules: targets and recipes are data, and no code knows one by its name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosspi.data.recipe import Recipes
from crosspi.data.targets import Targets

PROJECT = Path(__file__).parents[1]
MODULES = sorted((PROJECT / "crosspi").rglob("*.py"))


@pytest.fixture(scope="module")
def names() -> frozenset[str]:
    """What no code may speak of: architectures, boards, recipes, and those to come."""
    targets = Targets.load(PROJECT / "toolchains")
    boards = {b for t in targets.toolchains.values() for b in t.data.boards}
    recipes = Recipes.load(PROJECT / "recipes").by_name
    coming = {"armv6", "armv7", "pi-zero", "pi-one", "tflite", "tflite_runtime", "tensorflow"}
    return frozenset({*targets.toolchains, *boards, *recipes, *coming})


def spoken(path: Path) -> Iterator[tuple[int, str]]:
    """The texts in a module's code: not its comments, not its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in documentation:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_no_code_knows_a_target_or_a_recipe_by_name(path: Path, names: frozenset[str]) -> None:
    found = [f"{path}:{line}: {text!r}" for line, text in spoken(path) if text in names]
    assert found == []


MOST_LINES = 500


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_modules_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PROJECT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


#: What compresses the files that are published or hashed: it runs where the compressor is pinned.
COMPRESSES = {"guests/pack_archive.py", "guests/run_commands.py"}


def test_nothing_is_compressed_on_the_host() -> None:
    """What deflate makes of the same bytes differs with zlib's version: two hosts, two wheels."""
    found = {
        path.relative_to(PROJECT / "crosspi").as_posix()
        for path in MODULES
        if "ZIP_DEFLATED" in path.read_text(encoding="utf-8")
        or re.search(r"w:gz|GzipFile\([^)]*w", path.read_text(encoding="utf-8"))
    }
    assert found == COMPRESSES
