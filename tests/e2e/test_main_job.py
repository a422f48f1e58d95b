"""The main job: the README's first command, and what it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workshop import CHECKOUT, Run

pytestmark = pytest.mark.e2e

MAIN = ("build", "--target", "pi-zero,pi3", "--python", "3.11")
#: By platform tag: what the emulated board says it is, and the CPU that qemu plays.
BOARDS = {"linux_armv6l": ("armv6l", "arm1176"), "linux_armv7l": ("armv7l", "cortex-a7")}
RECIPES = {"numpy": "numpy-2.0.2", "tflite-runtime": "tflite_runtime-2.14.1"}
MAX_TFLITE = 1_800_000  # bytes


def wheel(recipe: str, platform: str) -> str:
    return f"{RECIPES[recipe]}-cp311-cp311-{platform}.whl"


def published(dist: Path, recipe: str, platform: str) -> Any:
    """The manifest of a published wheel."""
    return json.loads((dist / (wheel(recipe, platform) + ".json")).read_text())


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
    run = invoke(folder, *MAIN, "--json")
    assert run.code == 0
    yield folder


@pytest.mark.parametrize("platform", BOARDS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_wheel_is_published_with_what_was_proven(
    dist: Path, recipe: str, platform: str
) -> None:
    machine, cpu = BOARDS[platform]
    manifest = published(dist, recipe, platform)
    assert (dist / wheel(recipe, platform)).stat().st_size == manifest["size"]
    assert manifest["steps"]["audit"]["ok"]
    assert manifest["steps"]["audit"]["sha256"] == manifest["sha256"]
    smoke = manifest["steps"]["smoke"]
    assert smoke["sha256"] == manifest["sha256"]
    assert smoke["board"]["machine"] == machine
    assert smoke["emulated_cpu"] == cpu
    assert smoke["counts"]["passed"] >= 10
    assert smoke["counts"]["failed"] == smoke["counts"]["error"] == 0


@pytest.mark.parametrize("platform", BOARDS)
def test_tensorflow_lite_is_small(dist: Path, platform: str) -> None:
    assert (dist / wheel("tflite-runtime", platform)).stat().st_size <= MAX_TFLITE


@pytest.mark.parametrize("platform", BOARDS)
def test_the_delegate_took_float_and_quantized_models(dist: Path, platform: str) -> None:
    manifest = published(dist, "tflite-runtime", platform)
    tests = {t["name"]: t for t in manifest["steps"]["smoke"]["tests"]}
    delegated = [name for name in tests if "xnnpack" in name]
    assert len(delegated) >= 3
    assert {tests[name]["outcome"] for name in delegated} == {"passed"}


def test_nothing_newer_than_armv6_is_in_the_wheels_for_pi_zero(dist: Path) -> None:
    for recipe in RECIPES:
        for file in published(dist, recipe, "linux_armv6l")["steps"]["audit"]["files"]:
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

    for platform in BOARDS:
        assert download(platform) == [wheel("tflite-runtime", platform)]
    assert download("linux_x86_64") == []


def test_a_second_build_runs_nothing(dist: Path) -> None:
    run = invoke(dist, *MAIN, "--json", "--offline")
    assert run.code == 0
    assert {step["state"] for step in run.data["steps"]} == {"from the store"}
    assert invoke(dist, "plan", *MAIN[1:], "--json").data == []


def test_the_audit_command_passes_our_wheels(dist: Path) -> None:
    for platform in BOARDS:
        for recipe in RECIPES:
            run = invoke(dist, "audit", str(dist / wheel(recipe, platform)), "--json")
            assert run.code == 0, run.out
