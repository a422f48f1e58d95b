"""Everything that runs on the board is valid Python 2.7 and 3.4; expectations name their source."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "recipes", ROOT / "systems")
SMOKES = sorted(path for folder in FOLDERS for path in folder.glob("*/smoke.py"))

# Run on a workstation, by hand; they are no part of a smoke test.
WORKSTATION = {"record.py", "make_models.py", "make_models_2026.py"}
ON_THE_BOARD = [
    *(ROOT / "crosspi" / "guests" / name for name in ("board.py", "harness.py", "trial.py")),
    *SMOKES,
    ROOT / "systems" / "armv6-python" / "bytecode.py",
    *(
        path
        for folder in FOLDERS
        for path in sorted(folder.glob("*/smoke/**/*.py"))
        if path.name not in WORKSTATION
    ),
]

# What Python 2.7 (or 3.4) cannot read, or reads otherwise.
NEWER = {
    ast.JoinedStr: "an f-string",
    ast.AnnAssign: "a variable annotation",
    ast.NamedExpr: "an assignment expression",
    ast.AsyncFunctionDef: "async def",
    ast.Nonlocal: "nonlocal",
    ast.YieldFrom: "yield from",
    ast.MatMult: "the @ operator",
    ast.Match: "match",
    ast.TryStar: "except*",
    ast.Await: "await",
}
# Modules that one of the Pythons does not have.
MISSING = {
    "pathlib",
    "enum",
    "typing",
    "statistics",
    "asyncio",
    "importlib.metadata",
    "dataclasses",
    "importlib.resources",
    "contextvars",
    "imp",
    "distutils",
    "pkg_resources",
    "cPickle",
    "StringIO",
    "urllib2",
}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def after(text: str, node: ast.expr) -> str:
    """What follows a piece of a program."""
    lines = text.splitlines(keepends=True)[(node.end_lineno or 1) - 1 :]
    first = lines[0].encode()[node.end_col_offset :].decode()
    return first + "".join(lines[1:])


def faults(tree: ast.AST, text: str) -> Iterator[str]:
    """What keeps a module from running on Python 2.7 and on 3.4 alike."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        for kind, what in NEWER.items():
            if isinstance(node, kind):
                yield f"{line}: {what}"
        if isinstance(node, ast.FunctionDef):
            signature = node.args
            arguments = [*signature.args, *signature.kwonlyargs, signature.vararg, signature.kwarg]
            if node.returns or any(item and item.annotation for item in arguments):
                yield f"{line}: an annotation"
            if signature.kwonlyargs or signature.posonlyargs:
                yield f"{line}: keyword-only or positional-only arguments"
        if isinstance(node, ast.ClassDef) and node.keywords:
            yield f"{line}: a metaclass keyword"
        if isinstance(node, ast.Raise) and node.cause:
            yield f"{line}: raise ... from"
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
                yield f"{line}: super() without arguments"
            if sum(keyword.arg is None for keyword in node.keywords) > 1:
                yield f"{line}: several ** in a call"
            if any(isinstance(item, ast.Starred) for item in node.args[:-1]):
                yield f"{line}: an argument after *"
            stars = [item for item in node.args if isinstance(item, ast.Starred)]
            stars += [item.value for item in node.keywords if item.arg is None]
            if any(re.match(r"\s*,\s*\)", after(text, item)) for item in stars):
                yield f"{line}: a comma after * or ** at the end of a call"
        if isinstance(node, ast.Dict) and None in node.keys:
            yield f"{line}: ** in a dictionary"
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.module == "__future__" and "annotations" in {item.name for item in node.names}:
                yield f"{line}: from __future__ import annotations"
        yield from (f"{line}: import of {name}" for name in names if name in MISSING)
        number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
        if number and "_" in (ast.get_source_segment(text, node) or ""):
            yield f"{line}: _ in a number"
        if isinstance(node, ast.List | ast.Tuple | ast.Set) and any(
            isinstance(item, ast.Starred) for item in node.elts
        ):
            yield f"{line}: * in a list, tuple or target"
    for number, content in enumerate(text.splitlines(), 1):
        if re.match(r"\s*print\s+[^(=\s]", content):
            yield f"{number}: a print statement"
        if not content.isascii() and "coding:" not in text[:200]:
            yield f"{number}: not ASCII"


def test_there_are_smoke_tests() -> None:
    names = {path.parent.name for path in SMOKES}
    assert {"numpy", "tflite-runtime"} <= names


@pytest.mark.parametrize("path", ON_THE_BOARD, ids=relative)
def test_runs_on_python_2_7_and_3_4(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, filename=str(path), feature_version=(3, 4))
    assert sorted(faults(tree, text)) == []


@pytest.mark.parametrize(
    "line",
    [
        "x = f'{1}'",
        "def f(a: int): pass",
        "def f() -> int: pass",
        "x: int = 1",
        "a @ b",
        "def f(*, a): pass",
        "import pathlib",
        "x = 1_000",
        "super().f()",
        "print (x)\nprint\t'x'",
        "raise A from b",
        "first, *rest = x",
        "f(**{a: 1},)",
        "f(\n    b,\n    *c,\n)",
        "{**a}",
        "x = 'é'",
        "class A(metaclass=B): pass",
    ],
)
def test_the_check_itself(line: str) -> None:
    try:
        tree = ast.parse(line)
    except SyntaxError:
        tree = ast.parse("")
    assert list(faults(tree, line))


def functions_of(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", SMOKES, ids=relative)
def test_has_documented_tests(path: Path) -> None:
    tests = functions_of(path)
    assert tests, "no tests"
    more = sorted(path.parent.glob("smoke/tests_*.py"))
    imported = re.findall(r"^from (tests_\w+) import \*$", path.read_text(), re.MULTILINE)
    assert [other.stem for other in more] == imported, "tests that nobody runs"
    tests += [test for other in more for test in functions_of(other)]
    assert [test.name for test in tests if not ast.get_docstring(test)] == []
    assert [test.name for test in tests if len(test.args.args) != 1] == []
    names = [test.name for test in tests]
    assert sorted(names) == sorted(set(names)), "one hides another"


EXPECTED = sorted((ROOT / "recipes").glob("*/smoke/expected.json"))


@pytest.mark.parametrize("path", EXPECTED, ids=relative)
def test_each_expectation_names_its_source(path: Path) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))
    assert expected["recorded_with"]
    assert expected["models"]
    for name, entry in expected["models"].items():
        assert len(entry["source"]) > 10, name
        assert re.fullmatch(r"[0-9a-f]{64}", entry["sha256"]), name
        assert entry["outputs"], name
        own = path.parent / entry["file"]
        if own.exists():  # else it is TensorFlow's
            assert hashlib.sha256(own.read_bytes()).hexdigest() == entry["sha256"], (
                f"{own.name} changed: run record.py again"
            )


def test_each_tflite_model_has_a_test() -> None:
    path = ROOT / "recipes" / "tflite-runtime" / "smoke.py"
    expected = json.loads((path.parent / "smoke" / "expected.json").read_text(encoding="utf-8"))
    checked = set(re.findall(r"check_model\(case, '(\w+)'\)", path.read_text(encoding="utf-8")))
    assert checked == set(expected["models"])
    assert len(checked) >= 10
