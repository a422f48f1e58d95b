"""The main job: the README's first command, and what it promises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workshop import CHECKOUT, Run

pytestmark = pytest.mark.e2e

MAIN = ("build", "--target", "pi-zero,pi3", "--python", "3.11")
OLD = ("build", "--target", "pi3", "--python", "2.7")
ARMV7 = {"pi2": "cortex-a7", "pi3": "max", "pi4": "max"}
#: By build identifier: what the emulated boards say they are, and the CPU that qemu plays on each.
CELLS = {
    "cp311-armv6": ("armv6l", {"pi-zero": "arm1176"}),
    "cp311-armv7": ("armv7l", ARMV7),
    "cp27-armv7": ("armv7l", ARMV7),
}
RECIPES = ("numpy", "tflite-runtime")
MAX_TFLITE = 1_800_000  # bytes


def published(dist: Path, recipe: str, cell: str) -> Any:
    """The manifest of a published wheel."""
    manifests = [json.loads(path.read_text()) for path in dist.glob("*.whl.json")]
    (found,) = [m for m in manifests if (m["recipe"], m["build_identifier"]) == (recipe, cell)]
    return found


def invoke(dist: Path, *arguments: str) -> Run:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "CROSSPI_DIST": str(dist)},
        stdout=subprocess.PIPE,
        text=True,
    )
    return Run(done.returncode, done.stdout, "")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The published folder of one build. Its progress is not captured: it takes long."""
    folder = tmp_path_factory.mktemp("dist")
    for command in (MAIN, OLD):
        assert invoke(folder, *command, "--json").code == 0
    yield folder


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_wheel_is_published_with_what_was_proven(dist: Path, recipe: str, cell: str) -> None:
    machine, boards = CELLS[cell]
    manifest = published(dist, recipe, cell)
    assert (dist / manifest["wheel"]).stat().st_size == manifest["size"]
    assert manifest["steps"]["audit"]["ok"]
    assert manifest["steps"]["audit"]["sha256"] == manifest["sha256"]
    smokes = manifest["steps"]["smoke"]
    assert {name: smoke["emulated"]["cpu"] for name, smoke in smokes.items()} == boards
    for smoke in smokes.values():
        assert smoke["sha256"] == manifest["sha256"]
        assert smoke["board"]["machine"] == machine
        assert smoke["counts"]["passed"] >= 10
        assert smoke["counts"]["failed"] == smoke["counts"]["error"] == 0


@pytest.mark.parametrize("cell", CELLS)
def test_a_wheel_is_named_for_its_python_and_board(dist: Path, cell: str) -> None:
    tag, abi = {"cp311": ("cp311", "cp311"), "cp27": ("cp27", "cp27mu")}[cell.split("-")[0]]
    for recipe in RECIPES:
        name = published(dist, recipe, cell)["wheel"]
        assert name.endswith(f"-{tag}-{abi}-linux_{CELLS[cell][0]}.whl")


@pytest.mark.parametrize("cell", CELLS)
def test_tensorflow_lite_is_small(dist: Path, cell: str) -> None:
    assert published(dist, "tflite-runtime", cell)["size"] <= MAX_TFLITE


@pytest.mark.parametrize("cell", CELLS)
def test_the_delegate_took_float_and_quantized_models(dist: Path, cell: str) -> None:
    manifest = published(dist, "tflite-runtime", cell)
    for smoke in manifest["steps"]["smoke"].values():
        tests = {t["name"]: t for t in smoke["tests"]}
        delegated = [name for name in tests if "xnnpack" in name]
        assert len(delegated) >= 3
        assert {tests[name]["outcome"] for name in delegated} == {"passed"}


def test_another_python_compiles_tensorflow_lite_no_second_time(dist: Path) -> None:
    steps = [published(dist, "tflite-runtime", c)["steps"] for c in ("cp311-armv7", "cp27-armv7")]
    keys = [step["step compile:tflite-runtime-2.14.1-armv7"]["key"] for step in steps]
    assert keys[0] == keys[1]


def test_nothing_newer_than_armv6_is_in_the_wheels_for_pi_zero(dist: Path) -> None:
    for recipe in RECIPES:
        for file in published(dist, recipe, "cp311-armv6")["steps"]["audit"]["files"]:
            assert set(file["counts"]) <= {"vfp", "thumb"}, file["file"]


def test_pip_takes_the_boards_own_wheels_from_the_one_index(dist: Path, tmp_path: Path) -> None:
    def download(platform: str) -> list[str]:
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
                *("--platform", platform, "--python-version", "3.11", "--no-cache-dir"),
                *("--index-url", (dist / "simple").as_uri(), "--dest", str(tmp_path / platform)),
                "tflite-runtime",
            ],
            env={k: v for k, v in os.environ.items() if k != "PIP_FIND_LINKS"},
            capture_output=True,
        )
        return [path.name for path in (tmp_path / platform).glob("*.whl")]

    for cell in ("cp311-armv6", "cp311-armv7"):
        name = published(dist, "tflite-runtime", cell)["wheel"]
        assert download(f"linux_{CELLS[cell][0]}") == [name]
    assert download("linux_x86_64") == []


@pytest.mark.parametrize("command", [MAIN, OLD], ids=["main", "old"])
def test_a_second_build_runs_nothing(dist: Path, command: tuple[str, ...]) -> None:
    run = invoke(dist, *command, "--json", "--offline")
    assert run.code == 0
    assert {step["state"] for step in run.data["steps"]} == {"from the store"}
    assert invoke(dist, "plan", *command[1:], "--json").data["steps"] == []


def test_the_matrix_says_what_is_proven(dist: Path, tmp_path: Path) -> None:
    selection = ("--target", "pi3", "--python", "2.7,3.11")
    run = invoke(dist, "matrix", *selection, "--offline", "--json", "--junit", str(tmp_path / "m"))
    assert run.code == 0
    found = {(s["python"], s["package"]): s["verdict"] for s in run.data["squares"]}
    wanted = {*((p, r) for p in ("2.7", "3.11") for r in RECIPES), ("", "tflite-runtime")}
    assert found == dict.fromkeys(wanted, "from the store")
    assert 'failures="0"' in (tmp_path / "m").read_text()


def test_the_list_says_when(dist: Path) -> None:
    pythons = invoke(dist, "list", "--json").data["pythons"]
    assert set(pythons["3.11"]["armv6"]) == set(RECIPES)
    assert set(pythons["2.7"]["armv7"]) == set(RECIPES)
    assert pythons["3.4"]["armv7"] == {}


def test_the_audit_command_passes_our_wheels(dist: Path) -> None:
    for cell in CELLS:
        for recipe in RECIPES:
            path = dist / published(dist, recipe, cell)["wheel"]
            run = invoke(dist, "audit", str(path), "--json")
            assert run.code == 0, run.out


@pytest.mark.parametrize("cell", ["cp311-armv6", "cp311-armv7"])
def test_a_trial_runs_on_the_oldest_board(dist: Path, cell: str) -> None:
    wheel = dist / published(dist, "tflite-runtime", cell)["wheel"]
    run = invoke(dist, "audit", str(wheel), "--run", "--json")
    assert run.code == 0
    assert run.data["verdict"] == "proven"
    cpu = next(iter(CELLS[cell][1].values()))
    tried = [words for facts in run.data["files"] for words in facts["trials"]]
    assert tried == [f"import on {cpu}: ran"]


def test_a_trial_dies_where_the_board_would(dist: Path, tmp_path: Path) -> None:
    """ARMv7's wheel under ARMv6's name, as it lay in the largest index for a month."""
    wheel = dist / published(dist, "tflite-runtime", "cp311-armv7")["wheel"]
    renamed = tmp_path / wheel.name.replace("armv7l", "armv6l")
    shutil.copyfile(wheel, renamed)
    run = invoke(dist, "audit", str(renamed), "--run", "--json")
    assert run.code == 9
    assert run.data["verdict"] == "refused"
    (trapped,) = (item for item in run.data["findings"] if item["code"] == "trapped")
    assert trapped["message"] == "import on arm1176: died of an illegal instruction"
