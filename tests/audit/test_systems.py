"""The systems' versions and symbols: facts, and how they are asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from arm_files import Source, Toolbox

from crosspi.audit.extract import LIBRARIES, listing
from crosspi.audit.systems import LOADED, System, system_with, systems
from crosspi.data.targets import Targets

TARGETS = Targets.load(Path(__file__).parents[2] / "toolchains")


@pytest.mark.parametrize(
    ("glibc", "version", "there"),
    [
        ("2.19", "GLIBCXX_3.4.20", True),
        ("2.19", "GLIBCXX_3.4.21", False),
        ("2.31", "GLIBCXX_3.4.28", True),
        ("2.31", "GLIBCXX_3.4.29", False),
        ("2.31", "CXXABI_1.3.13", False),
        ("2.36", "CXXABI_1.3.13", True),
        ("2.36", "GCC_14.0.0", False),
        ("2.41", "GCC_14.0.0", True),
        ("2.19", "GCC_4.7.0", True),
        ("2.19", "GCC_7.0.0", False),
        ("2.31", "GLIBC_ABI_DT_RELR", False),
        ("2.36", "GLIBC_ABI_DT_RELR", True),
        ("2.28", "GLIBC_2.29", False),
        ("2.28", "CXXABI_ARM_1.3.3", True),
        ("2.28", "SOMEBODYS_9.9", True),
    ],
)
def test_versions_of_a_system(glibc: str, version: str, there: bool) -> None:
    assert system_with(glibc).has(version) is there


@pytest.mark.parametrize(
    ("glibc", "name"),
    [("2.17", "jessie"), ("2.28", "buster"), ("2.29", "bullseye"), ("2.34", "bookworm")],
)
def test_a_floor_means_the_oldest_system_that_has_it(glibc: str, name: str) -> None:
    assert name in system_with(glibc).name


def test_a_floor_above_all_systems_means_the_newest() -> None:
    assert system_with("9.9") is systems()[-1]


def test_the_systems_are_in_order() -> None:
    glibc = [tuple(map(int, system.glibc.split("."))) for system in systems()]
    assert glibc == sorted(glibc)


def test_every_pythons_system_is_known() -> None:
    """A Python's glibc is that of a system, and not only near to one."""
    known = {system.glibc for system in systems()}
    assert {python.data.glibc for python in TARGETS.pythons.values()} <= known


@pytest.mark.parametrize("system", systems(), ids=lambda system: system.name)
def test_every_library_of_a_system_is_listed(system: System) -> None:
    assert all(system.exports(library) for library in {*LIBRARIES, *LOADED})


def test_symbols_come_with_their_versions() -> None:
    old, new = system_with("2.31"), system_with("2.36")
    assert "GLIBC_2.4" in (old.exports("libc.so.6") or {})["puts"]
    assert "getrandom" not in (system_with("2.24").exports("libc.so.6") or {})
    assert "getrandom" in (old.exports("libc.so.6") or {})
    # glibc 2.34 moved the threads into libc.
    assert "pthread_create" not in (old.exports("libc.so.6") or {})
    assert "pthread_create" in (old.exports("libpthread.so.0") or {})
    assert "pthread_create" in (new.exports("libc.so.6") or {})


def test_only_libatomic_has_its_helpers() -> None:
    tables = {library: system_with("2.41").exports(library) or {} for library in LIBRARIES}
    having = [library for library, table in tables.items() if "__atomic_load_8" in table]
    assert having == ["libatomic.so.1"]


def test_an_unlisted_librarys_symbols_are_not_known() -> None:
    assert system_with("2.36").exports("libz.so.1") is None


def test_a_list_is_made_of_what_a_library_exports(arm: Toolbox) -> None:
    source = Source(exports=("b", "a"), versions="V_2 { global: a; b; local: *; };")
    assert listing(arm.shared(source), "lib_1.deb") == "# of lib_1.deb\n[V_2]\na\nb\n"


def test_private_symbols_are_not_listed(arm: Toolbox) -> None:
    source = Source(exports=("a",), versions="GLIBC_PRIVATE { global: a; local: *; };")
    assert listing(arm.shared(source), "x") == "# of x\n"
