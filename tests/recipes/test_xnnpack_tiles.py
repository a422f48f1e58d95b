"""XNNPACK's tables since 2025: the sizes beside a kernel are those that its name says.

They are written otherwise than in 2024, which `xnnpack/tables.py` reads way by way. What is held
here is what was wrong in them: a depthwise kernel of two channels in a table that said one, so that
a Pi Zero's weights would have been packed for another kernel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosspi.console import Console
from crosspi.data.recipe import Recipe
from crosspi.paths import Paths
from crosspi.project import Project

#: A field, and the part of a kernel's name that says what it must be.
SAID_BY_NAME = {
    "channel_tile": re.compile(r"_ukernel_\d+p(\d+)c__"),
    "primary_tile": re.compile(r"_ukernel_(\d+)p\d+c__"),
    "element_tile": re.compile(r"_u(\d+)(?:_acc\d+)?$"),
    "nr": re.compile(r"_ukernel_\d+x(\d+)(?:c\d+)?(?:s\d+)?__"),
}
_KERNEL = re.compile(
    r"(\w+_config(?:\[\d\])?|config)(?:\.|->)[\w.\[\]()]+\s*=.*?(xnn_\w+_ukernel\w*)"
)
_FIELD = re.compile(r"(\w+_config(?:\[\d\])?|config)(?:\.|->)(\w+)\s*=\s*(\d+)\s*;")
#: Where another table, or another way to fill it, begins.
_BRANCH = re.compile(r"\s*(#\s*(el|if|endif)|\}|if\b|else\b|case\b|default\b|break\b|for\b)")
#: How threads share work, and no answer, follows from these. Known since 2024, and harmless.
HARMLESS = {("f32_vcopysign_config", "element_tile"), ("qu8_vadd_config", "element_tile")}


def wrong_sizes(text: str) -> Iterator[tuple[int, str, str, int, str]]:
    """(line, table, field, what it says, the kernel whose name says otherwise)"""
    last: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if _BRANCH.match(line):
            last = {}
        if match := _KERNEL.search(line):
            last[match[1]] = match[2]
        match = _FIELD.search(line)
        if match is None or match[2] not in SAID_BY_NAME or match[1] not in last:
            continue
        said = SAID_BY_NAME[match[2]].search(last[match[1]])
        # Vectors of any length have no size in their names: `_u4v`.
        if said and int(said[1]) != int(match[3]):
            yield number, match[1], match[2], int(match[3]), last[match[1]]


def test_sizes_that_fit_are_not_told() -> None:
    text = """
    if (neon) {
      f32_dwconv_config[3].minmax = INIT(xnn_f32_dwconv_minmax_ukernel_25p8c__neon);
      f32_dwconv_config[3].channel_tile = 8;
      f32_dwconv_config[3].primary_tile = 25;
    } else {
      config->ukernel = INIT(xnn_f32_vgelu_ukernel__scalar_rational_u1);
      config->element_tile = 1;
      f32_gemm_config->minmax.gemm[M(1)] = INIT(xnn_f32_gemm_minmax_ukernel_1x4c2s4__scalar);
      f32_gemm_config->nr = 4;
    }"""
    assert list(wrong_sizes(text)) == []


@pytest.mark.parametrize(
    ("kernel", "field", "value"),
    [
        ("xnn_f32_dwconv_minmax_ukernel_25p2c__scalar_acc2", "channel_tile", 1),
        ("xnn_f32_dwconv_minmax_ukernel_9p1c__scalar", "primary_tile", 25),
        ("xnn_f32_vgelu_ukernel__neon_rational_u8", "element_tile", 1),
        ("xnn_f32_gemm_minmax_ukernel_4x8__asm", "nr", 4),
    ],
)
def test_a_size_of_another_kernel_is_told(kernel: str, field: str, value: int) -> None:
    text = f"x_config.minmax = INIT({kernel});\nx_config.{field} = {value};\n"
    assert list(wrong_sizes(text)) == [(2, "x_config", field, value, kernel)]


def test_a_branch_begins_anew() -> None:
    text = "c_config.minmax = F(xnn_a_ukernel_9p2c__b);\n} else {\nc_config.channel_tile = 1;\n"
    assert list(wrong_sizes(text)) == []


# ---- The real source ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project() -> Project:
    """This checkout, with the user's caches."""
    return Project(Paths.from_environment(Path(__file__).parents[2]), Console())


@pytest.fixture(scope="module")
def recipe(project: Project) -> Recipe:
    found = project.recipes.by_name["tflite-runtime"].recipe("3.13")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def upstream(project: Project, recipe: Recipe) -> Path:
    """XNNPACK's configuration, where the source is there already: 941 MB are not fetched for it."""
    path = project.sources.path(recipe.data.sources["litert"])
    if not path.is_dir():
        pytest.skip("the source of TensorFlow Lite 2.21 is not in the cache")
    return path


def told(folder: Path) -> list[tuple[str, str, str, int, str]]:
    found = []
    for path in sorted((folder / "xnnpack/src/src/configs").glob("*.c")):
        for _, table, field, value, kernel in wrong_sizes(path.read_text(encoding="utf-8")):
            if (table, field) not in HARMLESS:
                found.append((path.name, table, field, value, kernel))
    return found


def test_only_what_is_patched_is_wrong(recipe: Recipe, upstream: Path, tmp_path: Path) -> None:
    kernel = "xnn_f32_dwconv_ukernel_25p2c__scalar_acc2"
    wrong = ("dwconv-config.c", "f32_dwconv_config[3]", "channel_tile", 1, kernel)
    # For ARM without NEON, and for 32-bit x86 without SSE, which is not ours.
    assert told(upstream) == [wrong, wrong]
    tree = tmp_path / "litert"
    shutil.copytree(upstream / "xnnpack/src/src/configs", tree / "xnnpack/src/src/configs")
    subprocess.run(["chmod", "-R", "u+w", str(tree)], check=True)
    subprocess.run(
        # git, which every checkout came by: a bare Debian has no patch.
        ["git", "apply", "-p1", recipe.folder / "patches" / "litert-depthwise-25-taps.patch"],
        cwd=tree,
        env={**os.environ, "GIT_DIR": "/nonexistent"},
        check=True,
    )
    assert told(tree) == [wrong]
