"""Prefixes: what is left of what was installed, and that it can be moved."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import LIBRARY, load_recipe, make_cell

from crosspi.data.recipe import Recipe
from crosspi.data.targets import Slot
from crosspi.errors import BuildError
from crosspi.prefixes import archive_in, archive_name, finish_prefix, movable

PC = "# of lib\nprefix=/need/lib\nexec_prefix=${prefix}\nlibdir=/need/lib/lib\nLibs: -L${libdir}\n"


@pytest.fixture
def library(tmp_path: Path) -> Recipe:
    return load_recipe(tmp_path, LIBRARY + '  exclude: [share, "lib/*.so*"]\n')


def installed(root: Path) -> Path:
    tree = root / "tree"
    for name, text in {
        "lib/liblib.a": "!<arch>\n\0 /need/lib/",
        "lib/liblib.la": "libdir='/need/lib/lib'",
        "lib/liblib.so.1": "\x7fELF\0",
        "lib/pkgconfig/lib.pc": PC,
        "include/lib.h": "/* see /usr/need/lib */",
        "share/man/lib.3": "",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / "lib" / "liblib.so").symlink_to("liblib.so.1")
    return tree


def test_only_what_is_wanted_is_left(tmp_path: Path, library: Recipe) -> None:
    tree = installed(tmp_path)
    (tree / "bin" / "empty").mkdir(parents=True)
    finish_prefix(tree, library)
    assert not (tree / "bin").exists()
    left = {p.relative_to(tree).as_posix() for p in tree.rglob("*") if not p.is_dir()}
    assert left == {"lib/liblib.a", "lib/pkgconfig/lib.pc", "include/lib.h"}


def test_pkg_configs_files_find_the_rest_from_where_they_are() -> None:
    text = movable(PC, "lib", Path("lib/pkgconfig/lib.pc"))
    assert text.splitlines() == [
        "prefix=${pcfiledir}/../..",
        "# of lib",
        "",
        "exec_prefix=${prefix}",
        "libdir=${prefix}/lib",
        "Libs: -L${libdir}",
    ]
    deep = movable(PC, "lib", Path("lib/arm/pkgconfig/lib.pc"))
    assert deep.startswith("prefix=${pcfiledir}/../../..\n")


@pytest.mark.parametrize("path", ["/need/lib/share", "/work/build/x", "/src/lib"])
def test_a_text_that_names_the_build_is_told(tmp_path: Path, library: Recipe, path: str) -> None:
    tree = installed(tmp_path)
    (tree / "lib" / "libConfig.cmake").write_text(f'set(LIB_DIR "{path}/")\n')
    with pytest.raises(BuildError, match="name its folders") as caught:
        finish_prefix(tree, library)
    assert caught.value.where == "lib/libConfig.cmake"
    assert caught.value.exit_code == 8


def test_a_build_that_installs_nothing_is_told(tmp_path: Path, library: Recipe) -> None:
    (tmp_path / "tree" / "lib").mkdir(parents=True)
    with pytest.raises(BuildError, match="the build of lib installed nothing"):
        finish_prefix(tmp_path / "tree", library)


def test_an_archive_is_named_as_wheels_are(tmp_path: Path, library: Recipe) -> None:
    slot = Slot(make_cell(tmp_path).toolchain)
    assert archive_name(library, slot) == "lib-1.2-linux_toyl"
    assert archive_name(library, slot, 2) == "lib-1.2-2-linux_toyl"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "lib-1.2-linux_toyl.tar.gz").touch()
    assert archive_in(tmp_path / "out").name == "lib-1.2-linux_toyl.tar.gz"
