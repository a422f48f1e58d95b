"""Where things live."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosspi.paths import Paths

VARIABLES = ("CROSSPI_CACHE", "CROSSPI_DIST", "CROSSPI_SOURCES")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_by_default_results_are_in_the_checkout_and_the_cache_is_not() -> None:
    paths = Paths.from_environment(Path("/checkout"))
    assert paths.dist == Path("/checkout/dist")
    assert Path("/checkout") not in paths.cache.parents
    assert paths.extra_sources is None


def test_the_environment_moves_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.setenv(name, name.lower())
    paths = Paths.from_environment(Path("/checkout"))
    assert paths.cache == tmp_path / "crosspi_cache"
    assert paths.dist == tmp_path / "crosspi_dist"
    assert paths.extra_sources == tmp_path / "crosspi_sources"
    assert paths.store.parent == paths.logs.parent == paths.sources.parent == paths.cache


def test_a_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("CROSSPI_CACHE", "~/cache")
    assert Paths.from_environment(Path("/x")).cache == Path("/home/me/cache")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSPI_DIST", "")
    assert Paths.from_environment(Path("/x")).dist == Path("/x/dist")
