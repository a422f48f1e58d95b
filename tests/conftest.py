"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import load_recipe, make_cell

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
