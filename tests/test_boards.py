"""Which boards a wheel is held to, and whose promises count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from making import a_manifest, tiny_wheel

from crosspi.boards import law_of, promises_for, toolchains_of
from crosspi.data.targets import Targets
from crosspi.errors import NotAWheelError, StoreError, UsageError
from crosspi.index.manifest import manifest_of

TARGETS = Targets.load(Path(__file__).parents[1] / "toolchains")


def held_to(tag: str) -> list[str]:
    return [t.name for t in toolchains_of(Path(f"x-1-cp311-cp311-{tag}.whl"), TARGETS)]


@pytest.mark.parametrize(
    "tag", ["linux_armv7l", "manylinux_2_34_armv7l", "manylinux2014_armv7l.manylinux_2_17_armv7l"]
)
def test_a_wheels_name_tells_its_boards(tag: str) -> None:
    assert held_to(tag) == ["armv7"]


def test_a_wheel_with_two_platforms_is_held_to_all_boards_that_take_it() -> None:
    assert held_to("linux_armv6l.linux_armv7l") == ["armv6", "armv7"]
    assert held_to("manylinux_2_17_armv7l.musllinux_1_1_armv7l") == ["armv7"]


def test_a_name_that_tells_nothing() -> None:
    with pytest.raises(NotAWheelError):
        toolchains_of(Path("x.whl"), TARGETS)


def test_what_is_for_any_platform_is_held_to_some_law() -> None:
    assert len(toolchains_of(Path("x-1-py3-none-any.whl"), TARGETS)) == 1


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("manylinux_2_17_aarch64.manylinux2014_aarch64", "--target pi3"),
        ("musllinux_1_2_armv7l", "has the GNU C library"),
        ("linux_x86_64", "its platform tag is linux_x86_64"),
    ],
)
def test_a_wheel_for_another_system_is_told_what_serves_that(tag: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        held_to(tag)
    assert caught.value.why.count(words) == 1


def test_the_law_of_a_name_that_is_none() -> None:
    toolchain = TARGETS.toolchain("pi3")
    assert law_of(Path("nonsense"), toolchain, TARGETS) == toolchain.data.audit
    assert law_of(Path("x-1-cp39-cp39-linux_armv7l.whl"), toolchain, TARGETS).glibc == "2.31"


def with_manifest(folder: Path, promises: object) -> Path:
    wheel = tiny_wheel(folder)
    plain = {**json.loads(a_manifest(wheel).to_json()), "promises": promises}
    manifest_of(wheel).write_text(json.dumps(plain))
    return wheel


def test_promises_of_our_own_wheels_count(tmp_path: Path) -> None:
    wheel = with_manifest(tmp_path / "dist", {"neon": True})
    promises = promises_for(wheel, tmp_path / "dist")
    assert promises is not None and promises.neon


def test_a_strangers_manifest_beside_his_wheel_promises_nothing(tmp_path: Path) -> None:
    wheel = with_manifest(tmp_path / "downloads", {"neon": True})
    assert promises_for(wheel, tmp_path / "dist") is None


def test_a_wheel_without_a_manifest_is_nobodys(tmp_path: Path) -> None:
    assert promises_for(tiny_wheel(tmp_path), tmp_path) is None


def test_damaged_promises_are_told(tmp_path: Path) -> None:
    wheel = with_manifest(tmp_path, {"dispatched": [{"why": ""}], "neno": 1})
    with pytest.raises(StoreError) as caught:
        promises_for(wheel, tmp_path)
    assert "dispatched.0.why" in caught.value.why and "neno" in caught.value.why
    assert caught.value.where.endswith(".whl.json")
