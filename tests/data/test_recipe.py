"""Recipes: their faults, their selection, their placeholders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from making import CMAKE, PEP517, PROGRAMS, load_recipe, once, write_programs, write_recipe

from crosspi.data.recipe import Package, Recipes, schema, substitute
from crosspi.errors import DataError, UsageError

PROJECT = Path(__file__).parents[2]


def faults(folder: Path, text: str) -> list[str]:
    """What is said about a recipe, each line without the folder."""
    with pytest.raises(DataError) as caught:
        load_recipe(folder, text)
    return caught.value.where.replace(f"{folder}/", "").splitlines()


def test_a_good_recipe_loads(tmp_path: Path) -> None:
    recipe = load_recipe(tmp_path)
    assert recipe.name == "pack"
    assert recipe.data.build.system == "cmake"
    assert recipe.smoke_script.is_file()


def test_five_errors_are_reported_at_once(tmp_path: Path) -> None:
    text = (
        CMAKE.replace("licence: MIT", "license: MIT")
        .replace('version: "1.0"', "version: 1.0")
        .replace('pythons: ">=3.9"', "pythons: three")
        .replace("  folder: sub", "  foldre: sub")
        .replace('run: ["other>=1"]', 'run: ["other>=>1"]')
    )
    found = faults(tmp_path, text)
    assert found == [
        "pack/recipe.yaml:1: licence: this field is required",
        "pack/recipe.yaml:2: version: must be text: put it in quotes (it is 1.0)",
        "pack/recipe.yaml:4: license: no such field; did you mean licence?",
        "pack/recipe.yaml:7: pythons: 'three' is not a version range like '>=3.9,<3.12'",
        "pack/recipe.yaml:18: build.foldre: no such field; did you mean folder or source?",
        "pack/recipe.yaml:36: requires.run[0]: 'other>=>1' is not a requirement like 'numpy>=1.23'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('version: "1.0"', 'version: "one"', "version", "is not a version (PEP 440)"),
        ("name: pack", "name: Pack", "name", "String should match pattern"),
        ("system: cmake", "system: cmak", "build", "'cmake', 'pep517'"),
        ("  source: main\n", "  source: mian\n", "build.source", "no source 'mian'; did you mean"),
        ("writable: [extra]", "writable: [xtra]", "build.writable[0]", "did you mean extra?"),
        ("to: pack/__init__.py", "to: /etc/passwd", "wheel.files[0].to", "must stay inside"),
        ("to: pack/__init__.py", "to: ../x", "wheel.files[0].to", "must stay inside"),
        ("folder: sub", "folder: ../x", "build.folder", "must stay inside"),
        ("{of: main, from", "{of: main, form", "wheel.licences[0].form", "did you mean from?"),
        ("tree: sha256:1", "tree: sha257:1", "sources.extra.tree", "must be sha256:"),
        ("[{local: extra}]", "[]", "sources.extra.origins", "at least one origin"),
        ("build: [module]", "build: []", "build.python.build", "at least 1"),
    ],
)
def test_a_fault_has_its_place_and_message(
    tmp_path: Path, old: str, new: str, place: str, message: str
) -> None:
    assert CMAKE.count(old) == 1
    found = faults(tmp_path, CMAKE.replace(old, new))
    mine = [fault for fault in found if f": {place}: " in fault]
    assert len(mine) == 1
    assert message in mine[0]


@pytest.mark.parametrize(
    ("placeholder", "message"),
    [
        ("{biuld}", "no placeholder {biuld}; did you mean build?"),
        ("{source:mian}", "no source 'mian'; did you mean main"),
        ("{need:other}", "no need 'other'"),
        ("{python:includ}", "no python 'includ'; did you mean include?"),
        ("{sauce:main}", "no placeholder {sauce:main}; did you mean source?"),
    ],
)
def test_an_unknown_placeholder_is_a_fault(tmp_path: Path, placeholder: str, message: str) -> None:
    text = CMAKE.replace('"{python:include}"', f'"{placeholder}"')
    (found,) = faults(tmp_path, text)
    assert found.startswith("pack/recipe.yaml:26: build.python.options.INCLUDES: ")
    assert message in found


def test_what_is_compiled_once_cannot_ask_for_python(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, CMAKE.replace('"{source:extra}/y"', '"{python:include}"'))
    assert "build.options.COPY: {python:include}: " in found
    assert "put it under build.python.options" in found


def test_what_is_compiled_per_python_may_ask_for_it(tmp_path: Path) -> None:
    text = CMAKE.replace('"{source:extra}/y"', '"{python:include}"')
    assert load_recipe(tmp_path, once(text)).name == "pack"


def test_the_folder_has_the_recipes_name(tmp_path: Path) -> None:
    write_recipe(tmp_path / "other")
    with pytest.raises(DataError) as caught:
        Package.load(tmp_path / "other")
    assert "recipe.yaml:1: name: the folder is called 'other'" in caught.value.where


def test_a_recipe_has_a_smoke_test(tmp_path: Path) -> None:
    folder = write_recipe(tmp_path / "pack")
    (folder / "smoke.py").unlink()
    with pytest.raises(DataError) as caught:
        Package.load(folder)
    assert "there is no smoke.py" in caught.value.where


def test_a_patch_must_be_there_and_its_source_too(tmp_path: Path) -> None:
    found = faults(tmp_path, CMAKE + "patches: {main: [absent.patch], nine: []}\n")
    assert any("patches.main[0]: there is no file 'absent.patch' here" in f for f in found)
    assert any("patches.nine: no source 'nine'" in f for f in found)


@pytest.mark.parametrize("entry", ["{to: x}", "{to: x, from: y, text: z}"])
def test_a_file_of_the_wheel_is_a_copy_or_a_text(tmp_path: Path, entry: str) -> None:
    (found,) = faults(tmp_path, PEP517 + f"wheel: {{files: [{entry}]}}\n")
    assert "wheel.files[0]: give exactly one of 'from' and 'text'" in found


def test_smoke_data_comes_from_a_source(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, CMAKE + "smoke: {data: {mane: x}}\n")
    assert "smoke.data.mane: no source 'mane'; did you mean main" in found


def test_tools_of_a_pep517_build_are_sources(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, PEP517.replace("tools: [tool]", "tools: [tol]"))
    assert "build.tools[0]: no tool set or source 'tol'; did you mean tool" in found


def test_a_key_twice_and_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not valid YAML"):
        load_recipe(tmp_path, CMAKE + "summary: again\n")
    with pytest.raises(DataError, match="cannot read"):
        Package.load(tmp_path / "absent")


def test_a_recipe_says_which_pythons_it_serves(tmp_path: Path) -> None:
    recipe = load_recipe(tmp_path, CMAKE.replace('">=3.9"', '">=3.9,<3.12"'))
    served = [v for v in ("2.7", "3.8", "3.9", "3.11", "3.12") if recipe.supports(v)]
    assert served == ["3.9", "3.11"]


VARIED = (
    PEP517
    + """\
unsupported: {">=3.14": "its build system is not ready for it"}
variants:
- pythons: "==2.7.*"
  version: "1.0"
  sources:
    other:
      tree: sha256:5555555555555555555555555555555555555555555555555555555555555555
  build: {system: setuptools, source: other, python: build-python-2.7}
- pythons: ">=3.12,<3.14"
  version: "3.0"
"""
).replace('pythons: ">=3.9"', 'pythons: ">=3.9,<3.12"', 1)


def test_the_first_recipe_that_serves_a_python_builds_for_it(tmp_path: Path) -> None:
    package = Package.load(write_recipe(tmp_path / "other", VARIED))
    found = {v: package.recipe(v) for v in ("2.7", "3.8", "3.9", "3.11", "3.13", "3.14")}
    versions = {v: recipe.data.version if recipe else None for v, recipe in found.items()}
    assert versions == {
        "2.7": "1.0",
        "3.8": None,
        "3.9": "2.0",
        "3.11": "2.0",
        "3.13": "3.0",
        "3.14": None,
    }
    old = found["2.7"]
    assert old is not None
    assert old.data.build.system == "setuptools"
    assert old.interpreter == "build-python-2.7"
    assert old.data.sources["other"].digest == 64 * "5"
    assert old.data.sources["tool"].digest == 64 * "3"


def test_a_refusal_has_its_reason_or_the_pythons_that_are_served(tmp_path: Path) -> None:
    package = Package.load(write_recipe(tmp_path / "other", VARIED))
    assert package.refusal("3.15") == "its build system is not ready for it"
    assert package.refusal("3.8") == "it supports ==2.7.* and >=3.12,<3.14 and >=3.9,<3.12"


def test_a_package_has_the_sources_of_all_its_recipes(tmp_path: Path) -> None:
    package = Package.load(write_recipe(tmp_path / "other", VARIED))
    assert {name: source.digest[0] for name, source in package.sources.items()} == {
        "other": "5",
        "tool": "3",
        "other 2": "2",
    }


def test_a_fault_of_a_variant_is_told_at_its_line(tmp_path: Path) -> None:
    text = VARIED.replace('version: "3.0"', "versoin: 3")
    with pytest.raises(DataError) as caught:
        Package.load(write_recipe(tmp_path / "other", text))
    line = 1 + text[: text.index("versoin")].count("\n")
    assert f"recipe.yaml:{line}: versoin: no such field" in caught.value.where


def test_what_only_the_python_part_sees_is_not_compiled_once(tmp_path: Path) -> None:
    text = CMAKE.replace("  python:\n", "  python:\n    sources: [extra]\n").replace(
        ', COPY: "{source:extra}/y"', ""
    )
    recipe = load_recipe(tmp_path, text)
    assert set(recipe.compiled_once.data.sources) == {"main"}
    with pytest.raises(DataError) as caught:
        load_recipe(tmp_path, text.replace('PLACE: "{source:main}', 'PLACE: "{source:extra}'))
    assert "{source:extra}: what is compiled once for all Pythons sees none" in caught.value.where


def test_what_only_slow_tests_see_is_not_built_with(tmp_path: Path) -> None:
    text = PEP517.replace(
        "build:\n", "  slow: {file: sha256:%s, origins: [{local: s}]}\nbuild:\n", 1
    )
    text = (
        text % (64 * "9") + "smoke: {data: {other: x}, full_data: {slow: y}, timeout_minutes: 2}\n"
    )
    recipe = load_recipe(tmp_path, text)
    assert set(recipe.data.sources) == {"other", "tool", "slow"}
    assert set(recipe.as_built.data.sources) == {"other", "tool"}
    smoke = recipe.data.smoke
    assert smoke.seen("default") == {"other": "x"}
    assert smoke.seen("full") == {"other": "x", "slow": "y"}
    assert (smoke.minutes("default"), smoke.minutes("full")) == (2, 120)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("tools: [tool]", "tools: [slow]"), "build.tools[0]: 'slow' is in smoke.full_data"),
        (('HERE: "{source:other}"', 'HERE: "{source:slow}"'), "it is in smoke.full_data"),
        (("{slow: y}", "{slwo: y}"), "smoke.full_data.slwo: no source 'slwo'"),
    ],
)
def test_a_build_that_wants_what_only_slow_tests_see(
    tmp_path: Path, change: tuple[str, str], fault: str
) -> None:
    text = PEP517.replace(
        "build:\n", "  slow: {file: sha256:%s, origins: [{local: s}]}\nbuild:\n", 1
    )
    text = text % (64 * "9") + "smoke: {full_data: {slow: y}}\n"
    with pytest.raises(DataError) as caught:
        load_recipe(tmp_path, text.replace(*change))
    assert fault in caught.value.where


def test_what_only_programs_of_the_smoke_test_see_is_not_built_with(tmp_path: Path) -> None:
    write_programs(tmp_path)
    recipe = load_recipe(tmp_path, PROGRAMS)
    assert set(recipe.as_built.data.sources) == {"main", "extra"}
    assert set(recipe.compiled_once.data.sources) == {"main", "extra"}
    assert set(recipe.with_programs.data.sources) == {"main", "extra", "tester"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("sources: [tester]", "sources: [tseter]"), "sources[0]: no source 'tseter'"),
        (("folder: smoke-programs", "folder: smoke-x"), "there is no CMake project 'smoke-x' here"),
        (("folder: smoke-programs", "folder: programs"), "must begin with 'smoke'"),
        (("build: [quick]\n    full_build: [slow]\n", ""), "give the CMake targets to build"),
        (("build:\n", "patches: {tester: [a.patch]}\nbuild:\n"), "sees this source as it came"),
        (('"{compiled}"', '"{build}"'), "{build}: what was kept of it is at {compiled}"),
        (('PLACE: "{source:main}', 'PLACE: "{source:tester}'), "only smoke.programs sees it"),
        (('"{source:tester}"', '"{python:include}"'), "compiled once for all Pythons sees none"),
    ],
)
def test_programs_that_cannot_be_built(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    write_programs(tmp_path)
    assert PROGRAMS.count(change[0]) == 1
    with pytest.raises(DataError) as caught:
        load_recipe(tmp_path, PROGRAMS.replace(*change))
    assert fault in caught.value.where


def test_the_faults_of_all_recipes_come_at_once(tmp_path: Path) -> None:
    write_recipe(tmp_path / "pack", CMAKE.replace("summary:", "sumary:"))
    write_recipe(tmp_path / "other", PEP517.replace("tools:", "tolls:"))
    with pytest.raises(DataError, match="2 recipes are wrong") as caught:
        Recipes.load(tmp_path)
    assert "pack/recipe.yaml:3: sumary" in caught.value.where
    assert "other/recipe.yaml:17: build.tolls" in caught.value.where


def test_one_wrong_recipe_is_told_as_it_is(tmp_path: Path) -> None:
    write_recipe(tmp_path / "pack", CMAKE.replace("summary:", "sumary:"))
    write_recipe(tmp_path / "other", PEP517)
    with pytest.raises(DataError, match=r"2 faults in recipe\.yaml"):
        Recipes.load(tmp_path)


def test_a_need_without_a_recipe(tmp_path: Path) -> None:
    write_recipe(tmp_path / "pack", CMAKE.replace("requires:\n", "requires:\n  build: [othr]\n"))
    write_recipe(tmp_path / "other", PEP517)
    with pytest.raises(DataError, match="pack needs 'othr'") as caught:
        Recipes.load(tmp_path)
    assert "did you mean other?" in caught.value.fix


def test_what_pip_shall_install_must_have_a_recipe(tmp_path: Path) -> None:
    write_recipe(tmp_path / "pack", CMAKE.replace('["other>=1"]', '["six", "Other>=1", "toml"]'))
    write_recipe(tmp_path / "other", PEP517)
    with pytest.raises(DataError, match=r"pack needs 'six'.*pack needs 'toml'") as caught:
        Recipes.load(tmp_path)
    assert caught.value.where == str(tmp_path / "pack" / "recipe.yaml")


@pytest.mark.parametrize("requires", ["{build: [pack]}", '{run: ["pack>=1"]}'])
def test_recipes_do_not_need_each_other_in_a_circle(tmp_path: Path, requires: str) -> None:
    write_recipe(tmp_path / "pack")
    write_recipe(tmp_path / "other", PEP517 + f"requires: {requires}\n")
    with pytest.raises(DataError, match="in a circle: other → pack → other"):
        Recipes.load(tmp_path)


@pytest.fixture
def recipes(tmp_path: Path) -> Recipes:
    write_recipe(tmp_path / "pack")
    write_recipe(tmp_path / "other", PEP517)
    return Recipes.load(tmp_path)


def test_without_a_word_the_default_set_is_taken(recipes: Recipes) -> None:
    assert [r.name for r in recipes.select([])] == ["pack"]


def test_names_are_read_as_pip_reads_them(recipes: Recipes) -> None:
    assert [r.name for r in recipes.select(["Other", "pack"])] == ["other", "pack"]


def test_a_misspelt_recipe_gets_a_suggestion(recipes: Recipes) -> None:
    with pytest.raises(UsageError, match="there is no recipe 'pak'") as caught:
        recipes.select(["pak"])
    assert caught.value.fix.startswith("did you mean pack?")


def test_placeholders_are_filled() -> None:
    values = {"build": "/b", "source:a": "/a"}
    assert substitute("{build}/x:{source:a}:{}", values) == "/b/x:/a:{}"


def test_every_recipe_of_the_project_loads() -> None:
    recipes = Recipes.load(PROJECT / "recipes")
    folders = {path.parent.name for path in (PROJECT / "recipes").glob("*/recipe.yaml")}
    assert set(recipes.by_name) == folders


def test_every_recipe_names_the_schema_for_editors() -> None:
    for path in (PROJECT / "recipes").glob("*/recipe.yaml"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../recipe.schema.json"


def test_the_kept_schema_is_that_of_the_code() -> None:
    kept = (PROJECT / "recipes" / "recipe.schema.json").read_text(encoding="utf-8")
    assert kept == schema(), "write it again: crosspi.recipe.schema()"


def test_the_schema_speaks_of_the_yaml_names() -> None:
    data = json.loads(schema())
    assert "from" in data["$defs"]["AddedFile"]["properties"]
    assert data["additionalProperties"] is False
