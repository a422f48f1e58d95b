"""Pins apart from prose: what is laid under a recipe, which versions there are, and faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from making import PEP517, ZEROS, write_recipe

from crosspi.data.pins import FILE, Pins
from crosspi.data.recipe import Package, Recipes
from crosspi.errors import DataError, UsageError

PROJECT = Path(__file__).parents[2]
ONES = "sha256:" + "1" * 64


def entry(version: str, pin: str = ZEROS, pythons: str = "") -> str:
    said = f"    pythons: '{pythons}'\n" if pythons else ""
    return (
        f"  '{version}':\n{said}    sources:\n      pack:\n        tree: {pin}\n"
        f"        origins: [{{pypi: pack, version: '{version}', file: pack-{version}.tar.gz}}]\n"
    )


PINS = "versions:\n" + entry("2.0", pythons=">=3.10") + entry("1.10", ONES, ">=3.8")
#: An ordinary recipe: neither a version nor sources.
SHORT = """\
name: pack
summary: a made-up package
licence: MIT
homepage: https://example.org
build: {system: pep517}
"""


def load(root: Path, recipe: str = SHORT, pins: str = PINS) -> Package:
    folder = write_recipe(root / "pack", recipe)
    (folder / FILE).write_text(pins)
    return Package.load(folder)


def test_each_pinned_version_is_a_recipe_the_newest_first(tmp_path: Path) -> None:
    package = load(tmp_path)
    found = [(r.data.version, r.data.pythons, r.data.sources["pack"].pin) for r in package.recipes]
    assert found == [("2.0", ">=3.10", ZEROS), ("1.10", ">=3.8", ONES)]
    assert package.recipes[0].data.build.source == "pack"


def test_the_newest_version_that_serves_a_python_is_the_default(tmp_path: Path) -> None:
    package = load(tmp_path)
    chosen = {p: package.recipe(p) for p in ("3.7", "3.9", "3.11")}
    assert {p: r.data.version if r else None for p, r in chosen.items()} == {
        "3.7": None,
        "3.9": "1.10",
        "3.11": "2.0",
    }
    assert package.general.data.version == "2.0"
    assert package.versions == ["2.0", "1.10"]


def test_the_newest_wins_whatever_the_order_of_variants(tmp_path: Path) -> None:
    variants = (
        "variants:\n- {version: '1.10', pythons: '>=3'}\n- {version: '2.0', pythons: '>=3'}\n"
    )
    recipe = load(tmp_path, SHORT + variants).recipe("3.11")
    assert recipe is not None
    assert recipe.data.version == "2.0"


def test_what_the_recipe_says_is_laid_over_the_pins(tmp_path: Path) -> None:
    text = SHORT + "pythons: '==3.11.*'\nsources: {{pack: {{include: [a/**]}}, more: {}}}\n".format(
        f"{{tree: {ONES}, origins: [{{local: more}}]}}"
    )
    newest = load(tmp_path, text).recipes[0].data
    assert newest.pythons == "==3.11.*"
    assert newest.sources["pack"].include == ("a/**",)
    assert newest.sources["pack"].pin == ZEROS
    assert newest.sources["more"].pin == ONES


def test_versions_of_variants_are_theirs_alone(tmp_path: Path) -> None:
    text = SHORT + "pythons: '>=3.9'\nvariants:\n- {version: '1.10', pythons: '==3.8.*'}\n"
    found = [(r.data.version, r.data.pythons) for r in load(tmp_path, text).recipes]
    assert found == [("1.10", "==3.8.*"), ("2.0", ">=3.9")]


OF_ITS_OWN = SHORT.replace("summary:", 'version: "1.10"\nsummary:') + "wheel: {exclude: [x]}\n"


def load_two(root: Path, own: str = OF_ITS_OWN, name: str = "recipe-1.10.yaml") -> Package:
    write_recipe(root / "pack", SHORT)
    (root / "pack" / name).write_text(own)
    return load(root)


def test_a_version_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    package = load_two(tmp_path)
    found = {
        r.data.version: (r.data.sources["pack"].pin, r.data.wheel.exclude) for r in package.recipes
    }
    assert found == {"2.0": (ZEROS, ()), "1.10": (ONES, ("x",))}
    older, newer = package.recipe("3.9"), package.recipe("3.11")
    assert older is not None and older.data.version == "1.10"
    assert newer is not None and newer.data.version == "2.0"
    # What is compiled once for it: its own file's, not the other's.
    assert package.of("1.10").recipes[-1].data.wheel.exclude == ("x",)


@pytest.mark.parametrize(
    ("old", "new", "name", "fault"),
    [
        ("x", "x", "recipe-1.9.yaml", "version: the file is of version 1.9, by its name"),
        ("summary", "default: true\nsummary", "recipe-1.10.yaml", "default: say the same in"),
        ("1.10", "3.0", "recipe-3.0.yaml", "version: there are no sources for 3.0"),
        ("name: pack", "name: other", "recipe-1.10.yaml", "name: the folder is called 'pack'"),
    ],
)
def test_faults_of_a_versions_own_file(
    tmp_path: Path, old: str, new: str, name: str, fault: str
) -> None:
    with pytest.raises(DataError) as caught:
        load_two(tmp_path, OF_ITS_OWN.replace(old, new), name)
    assert fault in caught.value.where
    assert name in caught.value.where


def test_a_version_in_two_files(tmp_path: Path) -> None:
    folder = write_recipe(tmp_path / "pack", OF_ITS_OWN)
    (folder / "recipe-1.10.yaml").write_text(OF_ITS_OWN)
    (folder / FILE).write_text(PINS)
    with pytest.raises(DataError) as caught:
        Package.load(folder)
    assert "recipe-1.10.yaml:2: version: 1.10 is in recipe.yaml too" in caught.value.where


def test_a_version_without_pins_or_sources_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, SHORT + "version: '3.0'\npythons: '>=3'\n")
    assert "recipe.yaml:6: version: there are no sources for 3.0: `invoke track" in str(
        caught.value
    )


def test_no_version_at_all_is_a_fault(tmp_path: Path) -> None:
    folder = write_recipe(tmp_path / "pack", SHORT)
    with pytest.raises(DataError) as caught:
        Package.load(folder)
    assert "version: this field is required" in caught.value.where


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (ZEROS, "unpinned", "is not pinned"),
        (ZEROS, "sha256:0", "must be sha256:<64 digits"),
        ("pypi: pack", "pipy: pack", "an origin has exactly one of the keys"),
        ("'2.0':", "'two':", "is not a version"),
        (">=3.10", "3.10", "is not a version range"),
        ("versions:\n", "version:\n", "no such field; did you mean versions"),
    ],
)
def test_faults_of_pins_have_their_own_file_and_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in PINS
    with pytest.raises(DataError) as caught:
        load(tmp_path, pins=PINS.replace(old, new))
    assert said in caught.value.where
    assert f"pack/{FILE}:" in caught.value.where


def test_a_recipe_without_pins_has_none(tmp_path: Path) -> None:
    assert Pins.read(tmp_path).newest == []


# --- NAME==VERSION --------------------------------------------------------------------------------


@pytest.fixture
def recipes(tmp_path: Path) -> Recipes:
    load(tmp_path)
    write_recipe(tmp_path / "other", PEP517)
    return Recipes.load(tmp_path)


def test_a_version_may_be_named(recipes: Recipes) -> None:
    (package,) = recipes.select(["Pack==1.10"])
    recipe = package.recipe("3.11")
    assert recipe is not None
    assert recipe.label == "pack-1.10"
    assert recipes.select(["pack==1.10.0"])[0].versions == ["1.10"]


@pytest.mark.parametrize(
    ("word", "what", "fix"),
    [
        ("pack==3.0", "there is no recipe for pack 3.0", "there are 2.0, 1.10; `invoke track"),
        ("pack==x", "'x' is not a version", "there are 2.0, 1.10"),
        ("pakc==2.0", "there is no recipe 'pakc'", "did you mean pack"),
    ],
)
def test_a_version_that_no_file_has(recipes: Recipes, word: str, what: str, fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipes.select([word])
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_the_projects_pins_are_all_used() -> None:
    for path in (PROJECT / "recipes").glob(f"*/{FILE}"):
        package = Package.load(path.parent)
        assert set(Pins.read(path.parent).versions) <= set(package.versions)
