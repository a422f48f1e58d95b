"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import good_tree, load_recipe, make_cell
from projects import good, make_checkout, with_parts

from crosspi.recipe import Recipe
from crosspi.store import Store
from crosspi.targets import Cell


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
    monkeypatch.setattr("crosspi.audit.auditing.audit_wheel", good)
    return make_checkout(tmp_path / "checkout")


@pytest.fixture
def parts(checkout: Path) -> Path:
    """A made-up project whose Python 3.11 is a part's root."""
    return with_parts(checkout)


@pytest.fixture
def lawful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part's ELF file, which is a mere beginning of one, passes its audit."""
    monkeypatch.setattr("crosspi.audit.auditing.audit_tree", good_tree)
