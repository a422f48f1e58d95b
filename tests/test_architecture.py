"""The picture of `docs/architecture.md` is what the imports say, and no arrow goes down."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
CODE = PROJECT / "crosspi"
PAGE = PROJECT / "docs" / "architecture.md"
#: What is no room: the version, and the door.
DOORS = {"__init__", "__main__", "__version__"}


def drawn(text: str) -> dict[str, set[str]]:
    """The rooms of a page's picture, from the ground up, and what each may import."""
    (block,) = re.findall(r"```rooms\n(.*?)```", text, re.DOTALL)
    lines = [line.partition(":") for line in block.splitlines()]
    return {name: set(imports.split()) for name, _, imports in lines}


def room(module: str, code: Path) -> str:
    """The room of a module: its folder, or itself."""
    return module.split(".")[0] if (code / module.split(".")[0]).is_dir() else module


def imported(code: Path) -> Iterator[tuple[str, str]]:
    """Each import between a package's modules, as module and module."""
    for path in sorted(code.rglob("*.py")):
        me = ".".join(path.relative_to(code).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from ((me, n.removeprefix("crosspi.")) for n in names if "crosspi." in n)


def arrows(code: Path) -> Mapping[str, set[str]]:
    """What each room imports."""
    found: dict[str, set[str]] = {}
    for me, other in imported(code):
        parts = other.split(".")
        target = (
            parts[0] if (code / parts[0]).is_dir() or (code / f"{parts[0]}.py").is_file() else ""
        )
        mine = room(me, code)
        found.setdefault(mine, set())
        if target and target != mine and not {mine, target} & DOORS:
            found[mine].add(target)
    return {name: others for name, others in found.items() if name not in DOORS}


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The circles of a graph, each once from where it was entered."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
        elif name not in done:
            for other in sorted(edges.get(name, ())):
                visit(other, [*path, name])
            done.add(name)

    for name in sorted(edges):
        visit(name, [])
    return found


def files(code: Path) -> Mapping[str, set[str]]:
    """What each module imports, by files; a package's `__init__` is the package."""
    modules = {
        ".".join(path.relative_to(code).with_suffix("").parts).removesuffix(".__init__")
        for path in code.rglob("*.py")
    }
    edges: dict[str, set[str]] = {}
    for me, other in imported(code):
        target = other if other in modules else other.rpartition(".")[0]
        mine = me.removesuffix(".__init__")
        if target in modules and target != mine:
            edges.setdefault(mine, set()).add(target)
    return edges


def test_the_picture_is_what_the_imports_say() -> None:
    real = arrows(CODE)
    for name, imports in drawn(PAGE.read_text(encoding="utf-8")).items():
        assert imports == real.pop(name, set()), name
    assert real == {}, "rooms that the picture does not have"


def test_no_arrow_goes_down() -> None:
    seen: set[str] = set()
    for name, imports in drawn(PAGE.read_text(encoding="utf-8")).items():
        assert imports <= seen, f"{name} imports what stands below it"
        seen.add(name)


def test_there_is_no_circle_among_modules() -> None:
    assert circles(files(CODE)) == []


def test_guests_import_nothing_of_ours() -> None:
    assert [pair for pair in imported(CODE) if pair[0].startswith("guests.")] == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package of two rooms that import each other."""
    for name, text in {
        "low/__init__.py": "",
        "low/one.py": "from crosspi.high import two\n",
        "high/__init__.py": "",
        "high/two.py": "import crosspi.low.one\n",
        "alone.py": "import os\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_circle_is_seen(house: Path) -> None:
    assert arrows(house) == {"low": {"high"}, "high": {"low"}}
    assert circles(files(house)) == [["high.two", "low.one", "high.two"]]
