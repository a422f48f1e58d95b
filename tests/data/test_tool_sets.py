"""Tool sets: locks of PEP 751 that become the sources of recipes, and every fault of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import CMAKE, PEP517, ZEROS, load_recipe, write_recipe

from crosspi.data.document import Document
from crosspi.data.recipe import TOOL_SETS, Package, Recipes
from crosspi.data.recipe_data import Pep517Build
from crosspi.data.tool_sets import BUILD_PYTHON, SUFFIX, ToolSet
from crosspi.errors import DataError

PROJECT = Path(__file__).parents[2]
ONE, TWO = "1" * 64, "2" * 64
WHEEL = f'{{ path = "backend-1.0-py3-none-any.whl", hashes = {{ sha256 = "{ONE}" }} }}'
LOCK = f"""\
lock-version = "1.0"
created-by = "test"

[[packages]]
name = "backend"
version = "1.0"
wheels = [{WHEEL}]

[[packages]]
name = "cython"
version = "3.3"
[[packages.wheels]]
path = "cython-3.3-cp311-cp311-manylinux_2_17_x86_64.whl"
hashes = {{ sha256 = "{TWO}" }}
[packages.tool.crosspi]
tree = "{ZEROS}"
"""
NAMED = PEP517.replace("tools: [tool]", "tools: set")


def write_lock(recipes: Path, text: str = LOCK, name: str = "set") -> Path:
    path = recipes / TOOL_SETS / f"{name}{SUFFIX}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def fault(tmp_path: Path, old: str, new: str) -> str:
    assert old in LOCK
    with pytest.raises(DataError) as caught:
        ToolSet.load(write_lock(tmp_path, LOCK.replace(old, new)))
    return caught.value.where


def test_a_recipes_tool_set_becomes_its_sources_and_tools(tmp_path: Path) -> None:
    write_lock(tmp_path)
    data = load_recipe(tmp_path, NAMED).data
    assert isinstance(data.build, Pep517Build)
    assert data.build.tools == ("backend", "cython")
    source = data.sources["cython"]
    assert (source.kind, source.digest) == ("file", TWO)
    assert (
        source.origins[0].label == "pypi cython: cython-3.3-cp311-cp311-manylinux_2_17_x86_64.whl"
    )


def test_a_source_of_the_recipes_own_wins(tmp_path: Path) -> None:
    write_lock(tmp_path, name="tool")
    data = load_recipe(tmp_path, PEP517).data
    assert isinstance(data.build, Pep517Build)
    assert data.build.tools == ("tool",)


def test_tests_see_trees_at_the_level_full_alone(tmp_path: Path) -> None:
    write_lock(tmp_path)
    recipe = load_recipe(tmp_path, CMAKE + "smoke: {full_tools: set}\n")
    assert recipe.data.smoke.seen("default") == {}
    assert recipe.data.smoke.seen("full") == {"tool-cython": "."}
    assert recipe.data.sources["tool-cython"].pin == ZEROS
    assert "tool-cython" not in recipe.as_built.data.sources


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            NAMED.replace("tools: set", "tools: sett"),
            "no tool set or source 'sett'; did you mean set",
        ),
        (CMAKE + "smoke: {full_tools: [ste]}\n", "no tool set 'ste'; did you mean set"),
        (CMAKE + "smoke: {full_tools: flat}\n", "'flat' has no trees"),
    ],
)
def test_an_unknown_set_is_a_fault_of_the_recipe(tmp_path: Path, text: str, said: str) -> None:
    write_lock(tmp_path)
    write_lock(tmp_path, LOCK.split("[packages.tool")[0], name="flat")
    with pytest.raises(DataError) as caught:
        load_recipe(tmp_path, text)
    assert said in caught.value.where


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (f'sha256 = "{ONE}"', f'md5 = "{"1" * 32}"', "backend-1.0-py3-none-any.whl has no sha256"),
        (f'sha256 = "{ONE}"', 'sha256 = "short"', "must be a sha256"),
        ("x86_64.whl", "aarch64.whl", "is for another system than the build machine"),
        ("cp311-cp311", "cp312-cp312", "is for another system than the build machine"),
        ("manylinux_2_17", "manylinux_2_39", "is for another system than the build machine"),
        (
            'version = "1.0"\nwheels',
            'version = "1.1"\nwheels',
            "is not consistent with package version",
        ),
        ("backend-1.0-py3-none-any.whl", "backend-1.0.tar.gz", "backend-1.0.tar.gz"),
        ('name = "backend"', 'name = "Back End"', "Back End"),
        (ZEROS, "sha256:0", "must be sha256:<64 digits"),
        ('lock-version = "1.0"', 'lock-version = "9.0"', "9.0"),
        ("[[packages]]", "[[packages", "line"),
    ],
)
def test_faults_of_a_lock(tmp_path: Path, old: str, new: str, said: str) -> None:
    where = fault(tmp_path, old, new)
    assert said in where
    assert f"{TOOL_SETS}/set{SUFFIX}: " in where


def test_all_faults_of_a_lock_come_at_once(tmp_path: Path) -> None:
    text = LOCK.replace(f'sha256 = "{ONE}"', 'md5 = "1"').replace("x86_64.whl", "aarch64.whl")
    with pytest.raises(DataError) as caught:
        ToolSet.load(write_lock(tmp_path, text))
    assert len(caught.value.where.splitlines()) == 2


def test_a_wheel_of_several_is_named(tmp_path: Path) -> None:
    where = fault(tmp_path, f"[{WHEEL}]", f"[{WHEEL}, {WHEEL}]")
    assert "has several wheels" in where


def test_an_sdist_is_no_tool(tmp_path: Path) -> None:
    sdist = WHEEL.replace("-py3-none-any.whl", ".tar.gz")
    where = fault(tmp_path, f"wheels = [{WHEEL}]", f"sdist = {sdist}")
    assert "build tools are installed from wheels alone" in where


def test_a_broken_lock_is_an_error_of_loading(tmp_path: Path) -> None:
    write_lock(tmp_path, "x")
    write_recipe(tmp_path / "pack", NAMED.replace("name: other", "name: pack"))
    with pytest.raises(DataError, match="cannot be used"):
        Recipes.load(tmp_path)
    with pytest.raises(DataError, match="cannot be used"):
        Package.load(tmp_path / "pack")


def test_the_projects_locks_are_good() -> None:
    for path in (PROJECT / "recipes" / TOOL_SETS).glob(f"*{SUFFIX}"):
        assert ToolSet.load(path).files


def test_the_build_machines_python_is_that_of_its_image() -> None:
    """Debian 12 has 3.11: another image, another Python, and other wheels in the locks."""
    image = Document.read(PROJECT / "dockerfiles" / "toolchain" / "image.yaml").data
    assert (image["suite"], BUILD_PYTHON) == ("bookworm", (3, 11))
