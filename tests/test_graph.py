"""The steps behind wheels, with an engine that only pretends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from making import (
    CMAKE,
    PEP517,
    PROGRAMS,
    ZEROS,
    write_programs,
    write_recipe,
)
from projects import PACK, Board, ask, project_at

from crosspi.errors import DataError
from crosspi.graph import Graph
from crosspi.run import build
from crosspi.work.plan import Step, closure


def test_the_graph_of_a_wheel(checkout: Path) -> None:
    project = project_at(checkout)
    wheels = Graph(project).products(ask(project, "pack"))
    assert sorted(w.recipe.name for w in wheels) == ["other", "pack"]
    names = {step.name for w in wheels for step in closure(w.smokes)}
    assert names == {
        "image:toolchain",
        "image:python-cp311-toy",
        "toolchain:toy",
        "python:cp311-toy",
        "compile:pack-1.0-toy",
        "source:main-00000000",
        "source:extra-11111111",
        "source:other-22222222",
        "source:tool-1-py3-none-any.whl-33333333",
        *(
            f"{kind}:{recipe}-cp311-toy"
            for kind in ("build", "wheel", "audit")
            for recipe in ("pack-1.0", "other-2.0")
        ),
        "smoke:pack-1.0-cp311-toy-toy1",
        "smoke:other-2.0-cp311-toy-toy1",
    }


def test_a_source_is_one_step_whatever_recipes_call_it(checkout: Path) -> None:
    text = PEP517.replace(f"sha256:{64 * '2'}", ZEROS).replace("local: other", "local: elsewhere")
    write_recipe(checkout / "recipes" / "other", text)
    project = project_at(checkout)
    steps = closure([s for w in Graph(project).products(ask(project, "pack")) for s in w.smokes])
    (source,) = {s.name for s in steps if s.kind == "source" and s.inputs == {"pin": 64 * "0"}}
    users = [s.name for s in steps if source in {need.name for need in s.needs}]
    assert source.endswith("-00000000")
    assert {"build:pack-1.0-cp311-toy", "build:other-2.0-cp311-toy"} <= set(users)


def test_two_pythons_share_what_is_compiled(checkout: Path) -> None:
    project = project_at(checkout)
    wheels = Graph(project).products(ask(project, "pack", pythons="3.11,3.9"))
    steps = {step.name: step for w in wheels for step in closure(w.smokes)}
    assert [name for name in steps if name.startswith("compile:")] == ["compile:pack-1.0-toy"]
    assert len([name for name in steps if name.startswith("build:pack")]) == 2


def test_recipes_of_a_package_share_what_is_compiled(checkout: Path) -> None:
    text = PACK.replace("  python:\n", "  python:\n    sources: [late]\n")
    text = text.replace('pythons: ">=3.9"', 'pythons: ">=3.10"')
    late = "  late: {tree: sha256:%s, origins: [{local: late}]}\n"
    text = text.replace("build:\n", late % (64 * "7") + "build:\n", 1)
    text += 'variants:\n- pythons: "==3.9.*"\n  sources:\n  ' + late % (64 * "8")
    write_recipe(checkout / "recipes" / "pack", text)
    graph = Graph(project_at(checkout))
    wheels = graph.products(ask(project_at(checkout), "pack", pythons="3.9,3.11"))
    steps = {step for w in wheels for step in closure(w.smokes)}
    names = [step.name for step in steps]
    assert names.count("compile:pack-1.0-toy") == 1
    (compiled,) = [step for step in steps if step.kind == "compile"]
    assert "late" not in " ".join(step.name for step in closure([compiled]))
    assert {"source:late-77777777", "source:late-88888888"} < set(names)


class BothPythons(Board):
    """Has the interpreter of the Python that its image is for."""

    def copy_out(self, image: str, paths: Mapping[str, str], into: Path, **options: Any) -> None:
        super().copy_out(image, paths, into, **options)
        if "cp39" in image:
            for file in into.rglob("sysconfigdata.py"):
                file.write_text(file.read_text().replace("3.11", "3.9"))


def test_variants_that_compile_different_things_are_both_built(checkout: Path) -> None:
    text = PACK + 'variants:\n- {pythons: "==3.9.*", build: {options: {OLD: "1"}}}\n'
    write_recipe(checkout / "recipes" / "pack", text)
    project = project_at(checkout, BothPythons())
    request = ask(project, "pack", pythons="3.9,3.11")
    wheels = [w for w in Graph(project).products(request) if w.recipe.name == "pack"]
    compiled = {
        w.cell.identifier: need.name
        for w in wheels
        for need in w.built.needs
        if need.kind == "compile"
    }
    assert compiled == {
        "cp311-toy": "compile:pack-1.0-toy",
        "cp39-toy": "compile:pack-1.0-cp39-toy",
    }
    # What a step is called does not depend on what else is asked for.
    alone = Graph(project).products(ask(project, "pack", pythons="3.9"))
    names = {s.name for s in closure([s for w in alone for s in w.smokes]) if s.kind == "compile"}
    assert names == {"compile:pack-1.0-cp39-toy"}
    result = build(project, request)
    assert result.errors == []
    assert len([path for path in result.published if path.name.startswith("pack")]) == 2


def test_what_is_compiled_once_is_tested_once_a_board_before_any_wheel(checkout: Path) -> None:
    text = PROGRAMS.replace("requires:\n", "requires:\n  build: [other]\n")
    write_recipe(checkout / "recipes" / "pack", text)
    write_programs(checkout / "recipes")
    wheels = Graph(project_at(checkout)).products(
        ask(project_at(checkout), "pack", pythons="3.9,3.11")
    )
    steps = {step for w in wheels for step in closure(w.smokes)}
    # One for the architecture, whatever Pythons.
    (programs,) = [step for step in steps if step.kind == "programs"]
    (shared,) = [step for step in steps if step.kind == "smoke" and programs in step.needs]
    assert shared.name == "smoke:pack-1.0-toy-compiled-toy1"
    smokes = [step for w in wheels for step in w.smokes if w.recipe.name == "pack"]
    assert [shared in step.needs for step in smokes] == [True, True]
    before = {step.name for step in closure([programs])}
    assert {"compile:pack-1.0-toy", "source:tester-44444444"} < before
    built = {step.name for w in wheels for step in closure([w.product])}
    assert not built & {"source:tester-44444444", programs.name}


def test_a_level_without_programs_knows_nothing_of_them(checkout: Path) -> None:
    keys = []
    for text in (CMAKE, PROGRAMS.replace("    build: [quick]\n", "")):
        write_recipe(checkout / "recipes" / "pack", text)
        write_programs(checkout / "recipes")
        wheels = Graph(project_at(checkout)).products(ask(project_at(checkout), "pack"))
        keys.append({step.name: step.key for w in wheels for step in closure(w.smokes)})
    assert keys[0] == keys[1]
    assert not [name for name in keys[1] if "programs" in name or "tester" in name]


def test_a_level_builds_its_own_programs(checkout: Path) -> None:
    write_recipe(checkout / "recipes" / "pack", PROGRAMS)
    write_programs(checkout / "recipes")
    keys = []
    for level in ("default", "full"):
        graph = Graph(project_at(checkout), level=level)
        wheels = graph.products(ask(project_at(checkout), "pack"))
        steps = closure([step for w in wheels for step in w.smokes])
        keys.append([step.key for step in steps if step.kind == "programs"])
    assert len(keys[0]) == len(keys[1]) == 1
    assert keys[0] != keys[1]


def test_a_file_of_the_programs_changes_their_key_alone(checkout: Path) -> None:
    write_recipe(checkout / "recipes" / "pack", PROGRAMS)
    write_programs(checkout / "recipes")

    def keys() -> dict[str, str]:
        graph = Graph(project_at(checkout), level="full")
        wheels = graph.products(ask(project_at(checkout), "pack"))
        return {step.name: step.key for w in wheels for step in closure(w.smokes)}

    before = keys()
    (checkout / "recipes" / "pack" / "smoke-programs" / "more.cc").write_text("// more\n")
    after = keys()
    changed = {name.split(":")[0] for name in before if before[name] != after[name]}
    assert changed == {"programs", "smoke"}


def test_a_smoke_test_installs_what_its_wheel_needs(checkout: Path) -> None:
    project = project_at(checkout)
    (pack,) = [w for w in Graph(project).products(ask(project, "pack")) if w.recipe.name == "pack"]
    needs = {need.name for need in pack.smokes[0].needs}
    assert {"wheel:other-2.0-cp311-toy", "audit:other-2.0-cp311-toy"} <= needs


# --- a Python of parts ----------------------------------------------------------------------------


def needed(steps: Sequence[Step], name: str) -> set[str]:
    (step,) = [step for step in steps if step.name == name]
    return {need.name for need in step.needs}


def test_the_graph_of_a_python_of_parts(parts: Path) -> None:
    project = project_at(parts)
    (wheel,) = Graph(project).products(ask(project, "other"))
    steps = closure(wheel.smokes)
    assert needed(steps, "part:base") == {"image:tools", "source:code-00000000"}
    assert needed(steps, "part:system") == {"image:tools", "part:base", "source:code-00000000"}
    assert needed(steps, "audit:system-toy") == {"part:system"}
    assert needed(steps, "image:python-cp311-toy") == {"part:system"}
    assert needed(steps, "python:cp311-toy") == {"image:python-cp311-toy"}
    assert needed(steps, "smoke:other-2.0-cp311-toy-toy1") == {
        "image:python-cp311-toy",
        "wheel:other-2.0-cp311-toy",
        "audit:other-2.0-cp311-toy",
        "audit:system-toy",
    }


def test_a_parts_own_smoke_test_comes_before_those_of_wheels(parts: Path) -> None:
    system = parts / "systems" / "system"
    (system / "smoke.py").write_text("# tests\n")
    path = system / "part.yaml"
    path.write_text(path.read_text() + "smoke: {data: {code: Lib}, folders: {tests: base}}\n")
    project = project_at(parts)
    (wheel,) = Graph(project).products(ask(project, "other"))
    steps = closure(wheel.smokes)
    assert needed(steps, "smoke:system-cp311-toy-toy1") == {
        "image:python-cp311-toy",
        "part:base",
        "audit:system-toy",
    }
    assert "smoke:system-cp311-toy-toy1" in needed(steps, "smoke:other-2.0-cp311-toy-toy1")


def test_binaries_of_others_are_not_audited(parts: Path) -> None:
    path = parts / "systems" / "system" / "part.yaml"
    path.write_text(path.read_text() + "audit: none\n")
    project = project_at(parts)
    (wheel,) = Graph(project).products(ask(project, "other"))
    assert "audit:system-toy" not in {step.name for step in closure(wheel.smokes)}


def test_a_python_of_a_part_that_does_not_exist(parts: Path) -> None:
    path = parts / "toolchains" / "pythons.yaml"
    path.write_text(path.read_text().replace("part: system", "part: sistem"))
    project = project_at(parts)
    assert project.part("system").name == "system"
    with pytest.raises(DataError, match="there is no part 'sistem'") as caught:
        Graph(project).products(ask(project, "other"))
    assert caught.value.exit_code == 3
    assert caught.value.where == str(path)
    assert caught.value.fix == "did you mean system?"


def test_packaged_and_built_pythons_stand_side_by_side(parts: Path) -> None:
    project = project_at(parts)
    wheels = Graph(project).products(ask(project, "other", pythons="3.11,3.9"))
    steps = closure([s for w in wheels for s in w.smokes])
    assert needed(steps, "image:python-cp39-toy") == set()
    assert "audit:system-toy" not in needed(steps, "smoke:other-2.0-cp39-toy-toy1")
    assert len([step for step in steps if step.kind == "part"]) == 2


def without(text: str, *lines: str) -> str:
    return "\n".join(line for line in text.splitlines() if line not in lines)


def test_two_versions_stand_side_by_side(checkout: Path) -> None:
    text = without(PACK, 'version: "1.0"', 'pythons: ">=3.9"') + (
        "\nvariants:\n"
        "- {version: '1.0', pythons: '>=3.9'}\n"
        "- {version: '1.1', pythons: '>=3.9', build: {options: {OPTION: false}}}\n"
    )
    write_recipe(checkout / "recipes" / "pack", text)
    project = project_at(checkout)
    names = [
        {
            step.name
            for w in Graph(project).products(ask(project, word))
            for step in closure(w.goals)
        }
        for word in ("pack", "pack==1.0")
    ]
    made = [{name for name in found if ":pack-" in name} for found in names]
    assert {name.split(":")[1][:8] for name in made[0]} == {"pack-1.1"}
    assert {name.split(":")[1][:8] for name in made[1]} == {"pack-1.0"}
    both = Graph(project).products(ask(project, "pack", "pack==1.0"))
    assert [w.recipe.label for w in both if w.recipe.name == "pack"] == ["pack-1.1", "pack-1.0"]


def test_a_need_takes_the_newest_version_that_it_allows(checkout: Path) -> None:
    write_recipe(checkout / "recipes" / "pack", PACK.replace("other>=1", "other<2"))
    text = without(PEP517, 'version: "2.0"', 'pythons: ">=3.9"') + (
        "\nvariants:\n- {version: '2.0', pythons: '>=3.9'}\n- {version: '1.5', pythons: '>=3.9'}\n"
    )
    write_recipe(checkout / "recipes" / "other", text)
    project = project_at(checkout)
    products = Graph(project).products(ask(project, "pack"))
    assert {w.recipe.label for w in products} == {"pack-1.0", "other-1.5"}
