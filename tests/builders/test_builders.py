"""What all builders share: where sources lie, patches, the tree."""

from __future__ import annotations

from pathlib import Path

from making import CMAKE, PEP517, context, load_recipe

from crosspi.builders.context import fill_tree, prepare_sources
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell
from crosspi.places import BUILD_PATHS

VALUES = {"version": "3.11", "tag": "cp311", "ext_suffix": ".toy.so", "include": "/python/i"}


def patched(root: Path) -> Recipe:
    folder = root / "pack"
    folder.mkdir(parents=True)
    for name in ("one.patch", "two.patch"):
        (folder / name).write_text("")
    return load_recipe(root, CMAKE + "patches: {main: [one.patch, two.patch]}\n")


def test_a_source_that_the_build_changes_is_a_copy(recipe: Recipe, cell: Cell) -> None:
    at = context(recipe, cell)
    assert at.source("main") == "/src/main"
    assert at.source("extra") == "/work/src/extra"


def test_a_patched_source_is_a_copy(tmp_path: Path, cell: Cell) -> None:
    at = context(patched(tmp_path / "patched"), cell)
    assert at.copied == ("main", "extra")
    assert at.source("main") == "/work/src/main"


def test_a_pep517_source_is_a_copy(tmp_path: Path, cell: Cell) -> None:
    assert context(load_recipe(tmp_path, PEP517), cell).copied == ("other",)


def test_patches_are_applied_in_order_and_exactly(tmp_path: Path, cell: Cell) -> None:
    commands = prepare_sources(context(patched(tmp_path / "patched"), cell))
    patches = [c["argv"] for c in commands if c["argv"][0] == "patch"]
    assert [argv[-1] for argv in patches] == [
        "--input=/recipe/one.patch",
        "--input=/recipe/two.patch",
    ]
    assert all("--fuzz=0" in argv and "--directory=/work/src/main" in argv for argv in patches)


def test_copies_keep_their_times_and_can_be_written(recipe: Recipe, cell: Cell) -> None:
    assert [c["argv"] for c in prepare_sources(context(recipe, cell))] == [
        ["mkdir", "-p", "/work/src"],
        ["cp", "-a", "/src/extra", "/work/src/extra"],
        ["chmod", "-R", "u+w", "/work/src/extra"],
    ]


def test_the_tree_gets_files_texts_and_licences(recipe: Recipe, cell: Cell) -> None:
    assert fill_tree(context(recipe, cell, python=VALUES)) == [
        {"text": "version = '1.0'", "to": "/out/tree/pack/__init__.py"},
        {"copy": "/work/build/module.so", "to": "/out/tree/pack/module.toy.so"},
        {"copy": "/src/main/LICENSE", "to": "/out/licenses/main/"},
        {"strip": "/out/tree"},
    ]


def test_placeholders_cover_what_a_recipe_may_use(tmp_path: Path, cell: Cell) -> None:
    text = CMAKE.replace("requires:\n", "requires:\n  build: [other]\n")
    filled = context(load_recipe(tmp_path, text), cell, python=VALUES, jobs=7).fill(
        "{recipe} {build} {tree} {zig} {cross_file} {version} {jobs} {source:main} {need:other} "
        "{python:version} {python:tag}"
    )
    assert filled == (
        "/recipe /work/build /out/tree /opt/crosspi/zig /work/cross.ini 1.0 7 /src/main "
        "/need/other 3.11 cp311"
    )


def test_every_folder_of_the_build_is_looked_for_in_binaries() -> None:
    assert {"/src/", "/work/", "/need/", "/recipe/", "/out/"} <= set(BUILD_PATHS)
