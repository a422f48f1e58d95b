"""XNNPACK's tables hold the right kernels: rules find what is wrong, and nothing after our patches.

Two of these tables were wrong in published wheels, which crashed on a Pi 2 and hung on a Pi Zero.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from xnnpack.rules import BUILDS, Build, Source, check
from xnnpack.tables import TableError, preprocessed, ways

from crosspi.console import Console
from crosspi.data.recipe import Recipe
from crosspi.errors import CrosspiError
from crosspi.paths import Paths
from crosspi.project import Project

#: A small XNNPACK: four tables, and a kernel.
SMALL = Path(__file__).parent / "xnnpack" / "small"
ARM = Build("arm", {"XNN_ARCH_ARM": 1})


def write(folder: Path, old: str = "", new: str = "") -> Source:
    """The small XNNPACK, with one thing replaced."""
    texts = {path.relative_to(SMALL): path.read_text() for path in SMALL.rglob("*.c")}
    assert any(old in text for text in texts.values()), old
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace(old, new) if old else text)
    return Source(folder)


def test_right_tables_have_no_faults(tmp_path: Path) -> None:
    # Two kinds of core and two processors without a table of their own; three other tables.
    assert check(write(tmp_path), ARM) == (5, [])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("qc8w_igemm_minmax_fp32_ukernel_1x8", "qc8w_gemm_minmax_fp32_ukernel_1x8", "not a igemm"),
        ("qs8_qc8w_gemm_minmax_fp32_ukernel_2x8c", "qu8_gemm_minmax_fp32_ukernel_2x8c", "not of"),
        ("qc8w_gemm_minmax_fp32_ukernel_2x8c2s4", "qc8w_gemm_minmax_fp32_ukernel_1x8c2s4", "rows"),
        ("_config.mr = 2", "_config.mr = 4", "mr is 4"),
        ("_config.nr = 8", "_config.nr = 16", "nr is 16"),
        ("_config.log2_kr = 1", "_config.log2_kr = 0", "log2_kr is 0"),
        ("_config.log2_sr = 2", "_config.log2_sr = 1", "log2_sr is 1"),
        ("_pack_qs8_gemm_goi_w", "_pack_qu8_gemm_goi_w", "pack_gemm_goi is"),
        ("_pack_qs8_gemm_goi_w", "_pack_qs8_gemm_gio_w", "pack_gemm_goi is"),
        ("_pack_qs8_conv_goki_w", "_pack_qs8_conv_kgo_w", "pack_igemm_goki is"),
        ("fp32_neon.output_min = 1", "fp32_scalar.output_min = 1", "does not write"),
        ("= xnn_init_qs8_qc8w_conv", "= xnn_init_qs8_conv", "no such function"),
        ("2x8c2s4__neon_mlal", "2x8c2s4__neonv8_mlal", "without asking for use_arm_neon_v8"),
        ("if (hardware_config->use_arm_neon) {", "{", "without asking for use_arm_neon"),
        ("channel_subtile = 1,", "channel_subtile = 0,", "channel_subtile is 0"),
        ("  f32_dwconv_config[1].channel_round = 1,\n", "", "channel_round is 0"),
        ("channel_tile = 1,", "channel_tile = 2,", "channel_tile is 2"),
        ("primary_tile = 25", "primary_tile = 9", "primary_tile is 9"),
        ("f32_dwconv_minmax_ukernel", "f32_dwconv_ukernel", "not a dwconv_minmax"),
        ("_vrsubc_", "_vsubc_", "ropc_ukernel is"),
        ("_vsub_ukernel", "_vadd_ukernel", "not a f32_vsub kernel"),
        ("element_tile = 8", "element_tile = 4", "element_tile is 4"),
        (".first_pass_tile_size = 9", ".first_pass_tile_size = 4", "first_pass_tile_size is 4"),
        ("    .remainder_pass_tile_size = 8,\n", "", "remainder_pass_tile_size is 0"),
        ("xnn_u8_maxpool_minmax", "xnn_s8_maxpool_minmax", "not of u8"),
        ("struct xnn_maxpool_config", "struct xnn_newpool_config", "no rule for"),
    ],
)
def test_faults_are_found(tmp_path: Path, old: str, new: str, fault: str) -> None:
    _, found = check(write(tmp_path, old, new), ARM)
    assert any(fault in text for text in found), found


def test_a_kernel_that_is_not_compiled_is_found(tmp_path: Path) -> None:
    source = write(tmp_path)
    lists = tmp_path / "cmake" / "gen"
    lists.mkdir(parents=True)
    text = "SET(PROD_X_MICROKERNEL_SRCS\n  src/kernel.c)\nSET(NON_PROD_X_MICROKERNEL_SRCS\n  a.c)\n"
    (lists / "x_microkernels.cmake").write_text(text)
    _, found = check(source, ARM)
    missing = {text.split(": ")[1] for text in found if "not in a production list" in text}
    assert not any(
        "gemm_minmax_fp32_ukernel_2x8c2s4" in text and " gemm" in text for text in missing
    )
    assert any("igemm_minmax_fp32_ukernel_1x8c2s4" in text for text in missing)


def test_conditions_decide_once() -> None:
    text = """
static struct xnn_cmul_config f32_cmul_config = {0};
static void init_f32_cmul_config(void) {
  if (hardware_config->use_arm_neon) { f32_cmul_config.ukernel = a; }
  if (!hardware_config->use_arm_neon && !XNN_PLATFORM_MOBILE) { f32_cmul_config.ukernel = b; }
}
"""
    assert sorted(way.fields["ukernel"].text for way in ways(text, {}, {})) == ["a", "b"]
    known = {"hardware_config->use_arm_neon": False}
    assert [way.fields["ukernel"].text for way in ways(text, {}, known)] == ["b"]


def test_the_preprocessor_keeps_lines() -> None:
    text = "#if A && !defined(B)  // x\n1\n#elif C > 1\n2\n#else\n3\n#endif\n/* 4\n*/5"
    seen = [preprocessed(text, known).split() for known in ({"A": 1}, {"C": 2}, {"B": 1, "A": 1})]
    assert seen == [["1", "5"], ["2", "5"], ["3", "5"]]
    assert preprocessed(text, {}).split("\n")[5] == "3"


@pytest.mark.parametrize("statement", ["while (1) {}", "f32_cmul_config.ukernel += 1;", "x();"])
def test_what_is_not_understood_is_said(statement: str) -> None:
    text = "static struct xnn_cmul_config f32_cmul_config = {0};\n"
    text += "static void init_f32_cmul_config(void) {\n" + statement + "\n}\n"
    with pytest.raises(TableError):
        list(ways(text, {}, {}))


# ---- The real source ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project() -> Project:
    """This checkout, with the user's caches."""
    return Project(Paths.from_environment(Path(__file__).parents[2]), Console())


@pytest.fixture(scope="module")
def recipe(project: Project) -> Recipe:
    found = project.recipes.by_name["tflite-runtime"].of("2.14.1").recipe("3.11")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def upstream(project: Project, recipe: Recipe) -> Path:
    """XNNPACK's tree, from the source cache; CI fails where it cannot be had."""
    try:
        return project.sources.fetch("xnnpack", recipe.data.sources["xnnpack"], base=recipe.folder)
    except CrosspiError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no source of XNNPACK: {error}")


@pytest.fixture(scope="module")
def patched(recipe: Recipe, upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Source:
    tree = tmp_path_factory.mktemp("xnnpack") / "xnnpack"
    for name in ("src", "cmake"):
        shutil.copytree(upstream / name, tree / name, symlinks=True)
    shutil.copy(upstream / "CMakeLists.txt", tree)
    subprocess.run(["chmod", "-R", "u+w", str(tree)], check=True)
    for patch in recipe.data.patches["xnnpack"]:
        # git, which every checkout came by: a bare Debian has no patch.
        subprocess.run(
            ["git", "apply", "-p1", recipe.folder / patch],
            cwd=tree,
            env={**os.environ, "GIT_DIR": "/nonexistent"},
            check=True,
        )
    return Source(tree)


@pytest.mark.e2e
def test_the_faults_of_the_published_wheels_are_found(upstream: Path) -> None:
    source = Source(upstream)
    _, armv6 = check(source, BUILDS[0])
    _, armv7 = check(source, BUILDS[1])
    assert any("f32_dwconv_config[3]" in text and "channel_subtile is 0" in text for text in armv6)
    assert any("xnn_f32_vgelu_ukernel__neon" in text for text in armv6)
    assert any("igemm[mr1] is" in text and "not a igemm" in text for text in armv7)


@pytest.mark.e2e
@pytest.mark.parametrize("build", BUILDS, ids=str)
def test_no_table_is_wrong_after_our_patches(build: Build, patched: Source) -> None:
    count, found = check(patched, build)
    assert found == []
    assert count > 50
