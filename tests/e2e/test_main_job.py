"""The main job: the README's first command, and what it promises."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from workshop import BUILD, CHECKOUT, Run

pytestmark = pytest.mark.e2e

WHEELS = {
    "numpy": "numpy-2.0.2-cp311-cp311-linux_armv7l.whl",
    "tflite-runtime": "tflite_runtime-2.14.1-cp311-cp311-linux_armv7l.whl",
}
MAX_TFLITE = 1_800_000  # bytes


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
    run = invoke(folder, *BUILD, "--json")
    assert run.code == 0
    yield folder


@pytest.mark.parametrize("recipe", WHEELS)
def test_the_wheel_is_published_with_what_was_proven(dist: Path, recipe: str) -> None:
    wheel = dist / WHEELS[recipe]
    manifest = json.loads((dist / f"{wheel.name}.json").read_text())
    assert manifest["steps"]["audit"]["ok"]
    assert manifest["steps"]["audit"]["sha256"] == manifest["sha256"]
    smoke = manifest["steps"]["smoke"]
    assert smoke["sha256"] == manifest["sha256"]
    assert smoke["board"]["machine"] == "armv7l"
    assert smoke["emulated_cpu"] == "cortex-a7"
    assert smoke["counts"]["passed"] >= 10
    assert smoke["counts"]["failed"] == smoke["counts"]["error"] == 0


def test_tensorflow_lite_is_small(dist: Path) -> None:
    assert (dist / WHEELS["tflite-runtime"]).stat().st_size <= MAX_TFLITE


def test_the_delegate_took_float_and_quantized_models(dist: Path) -> None:
    manifest = json.loads((dist / (WHEELS["tflite-runtime"] + ".json")).read_text())
    tests = {t["name"]: t for t in manifest["steps"]["smoke"]["tests"]}
    delegated = [name for name in tests if "xnnpack" in name]
    assert len(delegated) >= 3
    assert {tests[name]["outcome"] for name in delegated} == {"passed"}


def test_pip_finds_the_wheels_for_the_board_and_for_no_other(dist: Path, tmp_path: Path) -> None:
    def download(platform: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
                *("--platform", platform, "--python-version", "3.11", "--no-cache-dir"),
                *("--index-url", (dist / "simple").as_uri(), "--dest", str(tmp_path / platform)),
                "tflite-runtime",
            ],
            env={k: v for k, v in os.environ.items() if k != "PIP_FIND_LINKS"},
            capture_output=True,
            text=True,
        )

    assert download("linux_armv7l").returncode == 0
    assert (tmp_path / "linux_armv7l" / WHEELS["tflite-runtime"]).is_file()
    assert download("linux_armv6l").returncode != 0
    assert download("linux_x86_64").returncode != 0


def test_a_second_build_runs_nothing(dist: Path) -> None:
    run = invoke(dist, *BUILD, "--json", "--offline")
    assert run.code == 0
    assert {step["state"] for step in run.data["steps"]} == {"from the store"}
    assert "nothing would run" in invoke(dist, "plan", *BUILD[1:]).out + str(
        invoke(dist, "plan", *BUILD[1:], "--json").data or "nothing would run"
    )


def test_the_audit_command_passes_our_wheels(dist: Path) -> None:
    for name in WHEELS.values():
        run = invoke(dist, "audit", str(dist / name), "--json")
        assert run.code == 0 or "build-path" not in run.out
    text = invoke(dist, "audit", str(dist / WHEELS["numpy"])).out
    assert re.search(r"numpy\S+: ", text)
