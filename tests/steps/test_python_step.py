"""Target Pythons: what a build must know of an interpreter that it cannot run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from making import FakeEngine, FakeSources, make_step, workspace

from crosspi.containers.images import Image
from crosspi.data.targets import Cell, PackagedPython
from crosspi.errors import DataError
from crosspi.steps.python import (
    check_version,
    meson_info,
    packaged_image,
    python_step,
    python_values,
    read_sysconfigdata,
    without_crypt,
)
from crosspi.work.plan import Workspace

VARIABLES = {"VERSION": "3.11", "EXT_SUFFIX": ".cpython-311-arm-toy.so", "CC": "gcc"}
FILES = {
    "include/python3.11/Python.h": "",
    "sysconfigdata.py": f"# made by a build\nbuild_time_vars = {VARIABLES!r}\n",
    "pip-version": "23.0.1\n",
}


def module(folder: Path, text: str) -> Path:
    path = folder / "sysconfigdata.py"
    path.write_text(text)
    return path


def test_sysconfigdata_is_read(tmp_path: Path) -> None:
    assert read_sysconfigdata(module(tmp_path, FILES["sysconfigdata.py"])) == VARIABLES


def test_sysconfigdata_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = f"open({str(marker)!r}, 'w')\nbuild_time_vars = {{'A': 1}}\n"
    assert read_sysconfigdata(module(tmp_path, text)) == {"A": 1}
    assert not marker.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("build_time_vars = {", "cannot read"),
        ("build_time_vars = open('/etc/passwd')", "cannot read"),
        ("other = {}", "sets no build_time_vars"),
        ("", "sets no build_time_vars"),
    ],
)
def test_what_is_no_sysconfigdata_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = module(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_sysconfigdata(path)
    assert caught.value.where == str(path)


def headers(root: Path, version: str) -> Path:
    folder = root / "include" / f"python{version}"
    folder.mkdir(parents=True)
    (folder / "Python.h").write_text("")
    return root / "include"


def test_interpreter_and_headers_are_of_the_cells_version(tmp_path: Path, cell: Cell) -> None:
    check_version(VARIABLES, headers(tmp_path, "3.11"), cell)


@pytest.mark.parametrize(("interpreter", "of_headers"), [("3.9", "3.11"), ("3.11", "3.9")])
def test_a_mixed_image_is_an_error(
    tmp_path: Path, cell: Cell, interpreter: str, of_headers: str
) -> None:
    with pytest.raises(DataError, match=r"cp311-toy and its headers are not both 3\.11") as caught:
        check_version({"VERSION": interpreter}, headers(tmp_path, of_headers), cell)
    assert caught.value.where == f"interpreter: {interpreter}; headers: python{of_headers}"
    assert "toolchains/pythons.yaml" in caught.value.fix


def test_meson_is_told_of_the_target_and_the_containers_headers(cell: Cell) -> None:
    info = meson_info(VARIABLES, cell)
    assert info["version"] == info["variables"]["py_version_short"] == "3.11"
    assert info["suffix"] == ".cpython-311-arm-toy.so"
    assert info["platform"] == "linux-toyl"
    assert info["paths"]["include"] == info["paths"]["platinclude"]
    assert info["paths"]["include"] == "/python/include/python3.11"
    assert info["variables"]["INCLUDEPY"] == "/python/include/python3.11"
    assert info["variables"]["CC"] == "gcc"
    assert info["link_libpython"] is False
    assert info["is_pypy"] is False
    assert info["is_freethreaded"] is False
    json.dumps(info)


def test_meson_asks_for_the_same_names_as_it_gets(cell: Cell) -> None:
    """The keys that mesonbuild/scripts/python_info.py prints."""
    assert set(meson_info(VARIABLES, cell)) == {
        *("variables", "paths", "sysconfig_paths", "install_paths", "version", "platform"),
        *("is_pypy", "is_venv", "is_freethreaded", "link_libpython", "suffix"),
        "limited_api_suffix",
    }


@pytest.mark.parametrize(
    ("variables", "suffix"),
    [(VARIABLES, ".cpython-311-arm-toy.so"), ({"SO": ".old.so"}, ".old.so"), ({}, ".so")],
)
def test_placeholders_of_recipes(cell: Cell, variables: dict[str, str], suffix: str) -> None:
    assert python_values(variables, cell) == {
        "version": "3.11",
        "tag": "cp311",
        "ext_suffix": suffix,
        "include": "/python/include/python3.11",
    }


def run(root: Path, cell: Cell, files: dict[str, str]) -> Workspace:
    engine = FakeEngine(copied=files)
    work = workspace(root / "run")
    python_step(cell, Image(make_step("image", "python"), "python:1"), engine).action(work)
    return work


def test_the_step_leaves_headers_and_answers(tmp_path: Path, cell: Cell) -> None:
    work = run(tmp_path, cell, FILES)
    assert sorted(p.name for p in work.out.iterdir()) == [
        "include",
        "meson-info.json",
        "pip-version",
        "python.json",
        "sysconfigdata.py",
    ]
    assert json.loads((work.out / "python.json").read_text())["version"] == "3.11"
    assert work.notes == {"pip": "23.0.1"}


@pytest.mark.parametrize("name", FILES)
def test_an_image_that_lacks_something_is_an_error(tmp_path: Path, cell: Cell, name: str) -> None:
    lacking = {other: text for other, text in FILES.items() if other != name}
    with pytest.raises(DataError, match="the image of the Python cp311-toy has no") as caught:
        run(tmp_path, cell, lacking)
    assert caught.value.where == "python:1"


def image(root: Path, cell: Cell) -> Image:
    folder = root / "dockerfiles" / "toy-python"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    data = cell.image
    assert isinstance(data, PackagedPython)
    return packaged_image(
        cell, data, root / "dockerfiles", FakeEngine(), FakeSources.at(root / "sources")
    )


def test_an_image_is_known_by_what_goes_in(tmp_path: Path, cell: Cell) -> None:
    made = image(tmp_path, cell)
    assert made.tag == f"crosspi/python-cp311-toy:{made.step.key[:16]}"
    assert made.step.inputs["argument QEMU_CPU"] == "toy-emulated"
    assert made.step.inputs["argument VERSION"] == "3.11"
    assert made.step.inputs["base"] == "bookworm-armhf"


def test_headers_do_without_libcrypt(tmp_path: Path) -> None:
    path = tmp_path / "python3.9" / "pyconfig.h"
    path.parent.mkdir()
    path.write_text("#define A 1\n#define HAVE_CRYPT_H 1\n#define HAVE_CRYPT_R 1\n")
    path.chmod(0o444)
    without_crypt(tmp_path)
    assert path.read_text() == "#define A 1\n#define HAVE_CRYPT_R 1\n"


@pytest.mark.parametrize(("minor", "good"), [(11, True), (9, False)])
def test_headers_of_another_version_in_the_right_folder(
    tmp_path: Path, cell: Cell, minor: int, good: bool
) -> None:
    headers = tmp_path / "python3.11"
    headers.mkdir()
    (headers / "Python.h").write_text("")
    text = f"#define PY_MAJOR_VERSION 3\n#define PY_MINOR_VERSION {minor}\n"
    (headers / "patchlevel.h").write_text(text)
    if good:
        check_version({"VERSION": "3.11"}, tmp_path, cell)
        return
    with pytest.raises(DataError, match="not both") as caught:
        check_version({"VERSION": "3.11"}, tmp_path, cell)
    assert "patchlevel.h says 3.9" in caught.value.where
