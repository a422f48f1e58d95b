"""Wheels: tags from the target, RECORD, metadata, and the same bytes every time."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import zipfile
from datetime import UTC, datetime
from email.parser import Parser
from pathlib import Path

import pytest
from making import CMAKE, PEP517, FakeEngine, load_recipe, machine, make_step, packing, workspace

from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell
from crosspi.errors import BuildError
from crosspi.guests import run_commands
from crosspi.index.manifest import manifest
from crosspi.steps.wheel import wheel_step
from crosspi.wheels import dist_info, wheel_in, write_tags
from crosspi.work.plan import Step

BACKEND = """\
Metadata-Version: 2.1
Name: other
Version: 2.0
Author: Åsa Ödegård
Requires-Dist: thing>=1

A description.
From here on – everything stays as it was.
"""


def tree(folder: Path) -> Path:
    """What a build leaves of `pack`."""
    (folder / "pack").mkdir(parents=True)
    (folder / "pack" / "__init__.py").write_text("version = '1.0'\n")
    (folder / "pack" / "tool").write_bytes(b"\x7fELF")
    (folder / "pack" / "tool").chmod(0o755)
    (folder / "pack" / "__pycache__").mkdir()
    (folder / "pack" / "__pycache__" / "x.pyc").write_text("x")
    return folder


def backend_tree(folder: Path, version: str = "2.0") -> Path:
    """What a PEP 517 backend leaves of `other`."""
    info = folder / f"other-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(BACKEND, encoding="utf-8")
    (info / "RECORD").write_text("stale")
    (info / "WHEEL").write_text("Tag: cp311-cp311-linux_x86_64")
    (folder / "other.py").write_text("x")
    return folder


def make(root: Path, recipe: Recipe, cell: Cell) -> Path:
    folder = tree(root / "tree")
    out = root / "out"
    out.mkdir()
    return make_wheel(folder, dist_info(recipe, folder), cell, out)


def make_wheel(folder: Path, info: Path, cell: Cell, into: Path) -> Path:
    """Pack a tree, as the build container does."""
    path = into / write_tags(info, cell)
    run_commands.pack({"pack": str(folder), "info": info.name, "to": str(path)})
    return path


def step_of(root: Path, recipe: Recipe, cell: Cell, before: Step) -> Step:
    return wheel_step(recipe, cell, before, machine(root, FakeEngine(packing)))


def read(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name).decode()


def test_the_name_and_the_tags_come_from_the_cell(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    wheel = make(tmp_path, recipe, cell)
    assert wheel.name == "pack-1.0-cp311-cp311-linux_toyl.whl"
    lines = read(wheel, "pack-1.0.dist-info/WHEEL").splitlines()
    assert "Tag: cp311-cp311-linux_toyl" in lines
    assert "Root-Is-Purelib: false" in lines


def test_two_folders_at_two_times_make_the_same_bytes(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    first = make(tmp_path / "one", recipe, cell)
    before = os.umask(0o077)
    try:
        second = make(tmp_path / "a" / "longer" / "path", recipe, cell)
    finally:
        os.umask(before)
    folder = tmp_path / "three"
    third_tree = tree(folder / "tree")
    for path in third_tree.rglob("*"):
        os.utime(path, (1, 1))
    third = make_wheel(third_tree, dist_info(recipe, third_tree), cell, folder)
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_the_record_lists_every_file_with_its_hash(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    wheel = make(tmp_path, recipe, cell)
    with zipfile.ZipFile(wheel) as archive:
        rows = list(csv.reader(io.StringIO(read(wheel, "pack-1.0.dist-info/RECORD"))))
        assert [row[0] for row in rows] == archive.namelist()
        for name, digest, length in rows[:-1]:
            data = archive.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            assert (digest, length) == (f"sha256={expected.decode()}", str(len(data)))
    assert rows[-1] == ["pack-1.0.dist-info/RECORD", "", ""]


def test_dist_info_comes_last_and_caches_not_at_all(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    with zipfile.ZipFile(make(tmp_path, recipe, cell)) as archive:
        assert archive.namelist() == [
            "pack/__init__.py",
            "pack/tool",
            "pack-1.0.dist-info/METADATA",
            "pack-1.0.dist-info/WHEEL",
            "pack-1.0.dist-info/RECORD",
        ]


def test_programs_stay_executable(tmp_path: Path, recipe: Recipe, cell: Cell) -> None:
    with zipfile.ZipFile(make(tmp_path, recipe, cell)) as archive:
        modes = {i.filename: i.external_attr >> 16 for i in archive.infolist()}
    assert modes["pack/tool"] == 0o100755
    assert modes["pack/__init__.py"] == 0o100644


def test_metadata_is_made_of_the_recipe(tmp_path: Path, cell: Cell) -> None:
    text = CMAKE.replace("wheel:\n", "wheel:\n  classifiers: ['A :: B']\n").replace(
        "a made-up package", "a “made-up” pâckage"
    )
    wheel = make(tmp_path, load_recipe(tmp_path / "recipes", text), cell)
    metadata = Parser().parsestr(read(wheel, "pack-1.0.dist-info/METADATA"))
    assert metadata["Name"] == "pack"
    assert metadata["Version"] == "1.0"
    assert metadata["Summary"] == "a “made-up” pâckage"
    assert metadata["Requires-Python"] == ">=3.9"
    assert metadata.get_all("Requires-Dist") == ["other>=1"]
    assert metadata.get_all("Classifier") == ["A :: B"]


def test_a_backends_metadata_stays_and_requirements_are_added(tmp_path: Path) -> None:
    recipe = load_recipe(
        tmp_path / "recipes", PEP517 + 'requires: {run: ["thing>=1", "more>=2"]}\n'
    )
    folder = dist_info(recipe, backend_tree(tmp_path / "tree"))
    text = (folder / "METADATA").read_text(encoding="utf-8")
    assert text.replace("Requires-Dist: more>=2\n", "") == BACKEND
    assert text.count("Requires-Dist: thing>=1") == 1
    assert text.count("Requires-Dist: more>=2") == 1


def test_a_backends_record_and_tags_are_made_anew(tmp_path: Path, cell: Cell) -> None:
    folder = backend_tree(tmp_path / "tree")
    info = dist_info(load_recipe(tmp_path / "recipes", PEP517), folder)
    wheel = make_wheel(folder, info, cell, tmp_path)
    assert "x86_64" not in read(wheel, "other-2.0.dist-info/WHEEL")
    assert "stale" not in read(wheel, "other-2.0.dist-info/RECORD")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.namelist().count("other-2.0.dist-info/RECORD") == 1


def test_another_version_than_the_recipes_is_refused(tmp_path: Path) -> None:
    recipe = load_recipe(tmp_path / "recipes", PEP517)
    with pytest.raises(BuildError) as caught:
        dist_info(recipe, backend_tree(tmp_path / "tree", "2.0.1"))
    assert caught.value.what == (
        "the build made other-2.0.1.dist-info, the recipe says other-2.0.dist-info"
    )
    assert caught.value.where.endswith("recipe.yaml")


def test_excluded_files_are_left_out(tmp_path: Path) -> None:
    recipe = load_recipe(tmp_path / "recipes", PEP517 + 'wheel: {exclude: ["**/tests", "*.txt"]}\n')
    folder = backend_tree(tmp_path / "tree")
    (folder / "other" / "tests").mkdir(parents=True)
    (folder / "other" / "tests" / "test.py").write_text("x")
    (folder / "note.txt").write_text("x")
    dist_info(recipe, folder)
    assert sorted(p.name for p in folder.iterdir()) == ["other", "other-2.0.dist-info", "other.py"]
    assert list((folder / "other").iterdir()) == []


def test_what_is_excluded_may_lie_in_what_is_excluded(tmp_path: Path) -> None:
    recipe = load_recipe(tmp_path / "recipes", PEP517 + 'wheel: {exclude: ["**/tests", "**/l"]}\n')
    folder = backend_tree(tmp_path / "tree")
    (folder / "tests" / "inner" / "tests").mkdir(parents=True)
    (folder / "kept").mkdir()
    (folder / "kept" / "file").write_text("x")
    (folder / "l").symlink_to("kept")  # the link goes, not what it means
    dist_info(recipe, folder)
    assert sorted(p.name for p in folder.iterdir()) == ["kept", "other-2.0.dist-info", "other.py"]
    assert (folder / "kept" / "file").is_file()


def test_a_link_to_a_file_is_packed_as_a_file_and_others_are_told(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    before = make_step("build", "pack-cp311-toy")
    step = step_of(tmp_path, recipe, cell, before)
    result = built(tmp_path / "built")
    (result / "tree" / "pack" / "same").symlink_to("__init__.py")
    work = workspace(tmp_path / "good", {before.name: result})
    step.action(work)
    assert read(wheel_in(work.out), "pack/same") == "version = '1.0'\n"
    (result / "tree" / "folder").symlink_to("pack")
    with pytest.raises(BuildError, match="cannot hold"):
        step.action(workspace(tmp_path / "bad", {before.name: result}))


def test_a_name_with_a_hyphen_is_written_with_an_underscore(tmp_path: Path) -> None:
    recipe = load_recipe(tmp_path / "recipes", CMAKE.replace("name: pack", "name: my-pack"))
    folder = tree(tmp_path / "tree")
    assert dist_info(recipe, folder).name == "my_pack-1.0.dist-info"


def built(root: Path) -> Path:
    """The result of a build step."""
    tree(root / "tree")
    (root / "licenses" / "main").mkdir(parents=True)
    (root / "licenses" / "main" / "LICENSE").write_text("free")
    return root


def test_the_step_makes_a_wheel_with_licences(tmp_path: Path, recipe: Recipe, cell: Cell) -> None:
    before = make_step("build", "pack-cp311-toy")
    step = step_of(tmp_path, recipe, cell, before)
    work = workspace(tmp_path / "run", {before.name: built(tmp_path / "built")})
    step.action(work)
    wheel = wheel_in(work.out)
    assert read(wheel, "pack-1.0.dist-info/licenses/main/LICENSE") == "free"
    assert work.notes["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert work.notes["size"] == wheel.stat().st_size


def test_the_step_does_not_change_what_was_built(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    before = make_step("build", "pack-cp311-toy")
    result = built(tmp_path / "built")
    files = sorted(result.rglob("*"))
    step = step_of(tmp_path, recipe, cell, before)
    step.action(workspace(tmp_path / "run", {before.name: result}))
    assert sorted(result.rglob("*")) == files


def wheel_key(root: Path, cell: Cell, text: str = CMAKE) -> str:
    return step_of(root, load_recipe(root / "recipes", text), cell, make_step()).key


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("licence: MIT", "licence: Apache-2.0", True),
        ("summary: a made-up", "summary: a nice", True),
        ('run: ["other>=1"]', 'run: ["other>=2"]', True),
        ('pythons: ">=3.9"', 'pythons: ">=3.8"', True),
        ("default: true", "default: false", False),
    ],
)
def test_the_steps_key_knows_the_metadata(
    tmp_path: Path, cell: Cell, old: str, new: str, changes: bool
) -> None:
    after = wheel_key(tmp_path, cell, CMAKE.replace(old, new))
    assert (after != wheel_key(tmp_path, cell)) is changes


def test_the_manifest_says_what_went_in(tmp_path: Path, recipe: Recipe, cell: Cell) -> None:
    wheel = make(tmp_path, recipe, cell)
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    record = manifest(
        recipe,
        cell,
        wheel,
        "f" * 64,
        {"wheel": "key"},
        noon,
        {"step x": {"wall": 1}},
        {"images": {}, "emulator": "qemu", "audit": "capstone 5"},
    )
    data = json.loads(record.to_json())
    assert record.proven == noon
    assert data["schema"] == 1
    assert data["sha256"] == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert data["build_identifier"] == "cp311-toy"
    assert set(data["sources"]) == {"main", "extra"}
    assert data["toolchain"]["glibc"] == "2.28"
    assert data["toolchain"]["emulated"] == [
        {"name": "toy1", "plays": "Toy 1", "cpu": "toy-emulated", "midr": "", "note": ""}
    ]
    assert data["steps"] == {"step x": {"wall": 1}}
    assert data["made_with"]["emulator"] == "qemu"
