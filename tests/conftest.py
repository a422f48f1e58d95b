"""Fixtures of the unit tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import good_tree, load_recipe, make_cell
from projects import good, make_checkout, with_parts

from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell
from crosspi.work.store import Store

#: What says how a terminal looks.
OF_TERMINALS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@pytest.fixture(autouse=True)
def _any_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a machine or a user may have set otherwise is the same for every unit test."""
    if request.node.get_closest_marker("e2e"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        for name in (*OF_TERMINALS, *(n for n in os.environ if n.startswith("CROSSPI_"))):
            patch.delenv(name, raising=False)
        before = os.umask(0o022)
        yield
        os.umask(before)


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    """Python 3.11 on the made-up toolchain `toy`."""
    return make_cell(tmp_path)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """The made-up CMake recipe `pack`."""
    return load_recipe(tmp_path / "recipes")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up project (see `projects`), whose audits find nothing."""
    monkeypatch.setattr("crosspi.audit.verdict.audit_wheel", good)
    return make_checkout(tmp_path / "checkout")


@pytest.fixture
def parts(checkout: Path) -> Path:
    """A made-up project whose Python 3.11 is a part's root."""
    return with_parts(checkout)


@pytest.fixture
def lawful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part's ELF file, which is a mere beginning of one, passes its audit."""
    monkeypatch.setattr("crosspi.audit.verdict.audit_tree", good_tree)
