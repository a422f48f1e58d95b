"""No path, name or pattern that stands in the project's data leads out of its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from making import CMAKE, PYTHONS, TOOLCHAIN, load_recipe, write_toolchains

from crosspi.data.part import load_parts
from crosspi.data.targets import Targets
from crosspi.errors import DataError

PATHS = ["../x", "a/../../x", "/etc", ".."]
NAMES = [*PATHS, "a/b", "", ".", "-a", "a b", "a:b"]
GLOBS = [*PATHS, "/etc/**", "**/../../x", "**.py", "a//b", ""]

PART = """\
name: piece
version: "1"
summary: a made-up part
licence: MIT
homepage: https://example.org
image: IMAGE
script: SCRIPT
sources:
  "SOURCE": {tree: sha256:%s, origins: [{local: x}]}
smoke: {data: {"SOURCE": DATA}, folders: {"FOLDER": piece}}
""" % ("0" * 64)
GOOD = {"IMAGE": "tools", "SCRIPT": "build.sh", "SOURCE": "src", "DATA": ".", "FOLDER": "root"}


def recipe(root: Path, old: str, new: str) -> None:
    text = CMAKE
    text = text.replace("wheel:\n", "wheel:\n  exclude: [EXCLUDE]\n")
    text = text.replace(
        "requires:\n", "patches: {main: [PATCH]}\nsmoke: {data: {main: DATA}}\nrequires:\n"
    )
    text = text.replace("of: main", "of: OF")
    text = text.replace(
        "  extra:\n",
        '  extra:\n    tree: sha256:%s\n    origins: [{local: y}]\n  "SOURCE":\n' % ("4" * 64),
    )
    assert old in text
    text = text.replace(old, f'"{new}"' if old != "SOURCE" else new)
    for name, good in {
        "EXCLUDE": "'**/tests'",
        "PATCH": "fix.patch",
        "DATA": ".",
        "OF": "main",
        "SOURCE": "third",
    }.items():
        text = text.replace(name, good)
    (root / "pack").mkdir()
    (root / "pack" / "fix.patch").write_text("")
    load_recipe(root, text)


def part(root: Path, old: str, new: str) -> None:
    text = PART.replace(old, f'"{new}"' if f'"{old}"' not in PART else new)
    for name, good in GOOD.items():
        text = text.replace(name, good)
    (root / "piece").mkdir()
    for name in ("build.sh", "smoke.py"):
        (root / "piece" / name).write_text("")
    (root / "piece" / "part.yaml").write_text(text)
    load_parts(root)


def toolchain(root: Path, old: str, new: str) -> None:
    text = TOOLCHAIN.replace("cpuinfo: cpuinfo.txt", "cpuinfo: CPUINFO")
    pythons = PYTHONS.replace("image: toy-python", "image: IMAGE")
    text, pythons = (t.replace(old, f'"{new}"') for t in (text, pythons))
    text, pythons = text.replace("CPUINFO", "cpuinfo.txt"), pythons.replace("IMAGE", "toy-python")
    Targets.load(write_toolchains(root / "toolchains", toolchain=text, pythons=pythons))


Load = Callable[[Path, str, str], None]
FIELDS: list[tuple[Load, str, str, list[str]]] = [
    (recipe, "EXCLUDE", "'**/tests'", GLOBS),
    (recipe, "PATCH", "fix.patch", PATHS),
    (recipe, "DATA", "a/b", PATHS),
    (recipe, "OF", "zig", NAMES),
    (recipe, "SOURCE", "ml_dtypes", NAMES),
    (recipe, "sub", "a/b", PATHS),
    (recipe, "pack/__init__.py", "a/b", PATHS),
    (part, "IMAGE", "tools", NAMES),
    (part, "SCRIPT", "build.sh", PATHS),
    (part, "SOURCE", "ml_dtypes", NAMES),
    (part, "DATA", "a/b", PATHS),
    (part, "FOLDER", "root", NAMES),
    (toolchain, "CPUINFO", "cpuinfo.txt", PATHS),
    (toolchain, "IMAGE", "toy-python", NAMES),
    (toolchain, "bookworm", "trixie", NAMES),
]
IDS = [f"{load.__name__} {old}" for load, old, _, _ in FIELDS]


@pytest.mark.parametrize(("load", "old", "good", "bad"), FIELDS, ids=IDS)
def test_what_leads_out_is_a_fault_of_the_data(
    tmp_path: Path, load: Load, old: str, good: str, bad: list[str]
) -> None:
    (tmp_path / "good").mkdir()
    load(tmp_path / "good", old, good.strip("'"))
    for number, value in enumerate(bad):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(DataError) as caught:
            load(tmp_path / str(number), old, value)
        assert f"'{value}'" in caught.value.where, caught.value
