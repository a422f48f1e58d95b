"""Steps in build containers: what goes into their keys, what they run, how they fail."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from making import (
    CMAKE,
    PEP517,
    TOOLCHAIN,
    FakeEngine,
    finish,
    host_path,
    load_recipe,
    machine,
    make_cell,
    make_step,
    workspace,
    write_recipe,
    write_toolchains,
)

from crosspi.containers.engine import Line
from crosspi.containers.job import Job
from crosspi.data.recipe import Recipe
from crosspi.data.targets import Cell, Targets
from crosspi.errors import BuildError
from crosspi.steps.compiling import build_step, compile_step, shell_job
from crosspi.steps.toolchain import toolchain_script, toolchain_step
from crosspi.work.plan import Step


@dataclass
class Keys:
    """The keys of a recipe's steps."""

    toolchain: str
    compile: str | None
    build: str


def steps(
    root: Path, recipe: Recipe, cell: Cell, *, jobs: int = 4, engine: FakeEngine | None = None
) -> tuple[Step, Step | None, Step]:
    made_by = machine(root, engine, jobs)
    toolchain = toolchain_step(cell.toolchain, made_by)
    python = make_step("python", cell.identifier)
    sources = [make_step("source", "main", present=lambda: True)]
    compiled = compile_step(recipe, toolchain, cell.toolchain, made_by, sources)
    built = build_step(
        recipe,
        cell,
        made_by,
        toolchain_made=toolchain,
        python_made=python,
        compiled=compiled,
        interpreter=None,
        wheels={},
        sources=sources,
    )
    return toolchain, compiled, built


def keys(root: Path, text: str = CMAKE, *, jobs: int = 4, toolchain: str = TOOLCHAIN) -> Keys:
    recipe = load_recipe(root / "recipes", text)
    targets = Targets.load(write_toolchains(root / "toolchains", toolchain=toolchain))
    cell = Cell(targets.toolchain("toy"), targets.python("3.11"))
    made, compiled, built = steps(root, recipe, cell, jobs=jobs)
    return Keys(made.key, compiled.key if compiled else None, built.key)


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [CMAKE, PEP517])
def test_keys_know_no_number_of_jobs(tmp_path: Path, text: str) -> None:
    assert keys(tmp_path, text, jobs=1) == keys(tmp_path, text, jobs=64)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("licence: MIT", "licence: Apache-2.0"),
        ("summary: a made-up", "summary: a nice"),
        ("homepage: https://example.org", "homepage: https://example.net"),
        ('run: ["other>=1"]', 'run: ["other>=2"]'),
        ("default: true", "default: false"),
        ("requires:\n", "smoke: {timeout_minutes: 3}\nrequires:\n"),
    ],
)
def test_what_no_build_sees_changes_no_key(tmp_path: Path, old: str, new: str) -> None:
    assert CMAKE.count(old) == 1
    assert keys(tmp_path, CMAKE.replace(old, new)) == keys(tmp_path)


def test_a_smoke_test_changes_no_key_of_a_build(tmp_path: Path) -> None:
    before = keys(tmp_path)
    folder = tmp_path / "recipes" / "pack"
    (folder / "smoke").mkdir()
    (folder / "smoke" / "data").write_text("x")
    recipe = load_recipe(tmp_path / "recipes")
    recipe.smoke_script.write_text("# another\n")
    _, compiled, built = steps(tmp_path, recipe, make_cell(tmp_path))
    assert compiled is not None
    assert (compiled.key, built.key) == (before.compile, before.build)


def test_a_file_of_the_recipe_changes_both_keys(tmp_path: Path) -> None:
    before = keys(tmp_path)
    (tmp_path / "recipes" / "pack" / "helper.cmake").write_text("x")
    after = keys(tmp_path)
    assert after.compile != before.compile
    assert after.build != before.build


def test_a_patch_changes_the_keys_of_those_who_apply_it(tmp_path: Path) -> None:
    folder = tmp_path / "recipes" / "pack" / "patches"
    text = CMAKE.replace("writable: [extra]", "writable: [main]")
    text = text.replace(', COPY: "{source:extra}/y"', "")
    text = text.replace("{INCLUDES:", '{COPY: "{source:extra}/y", INCLUDES:')
    text = text.replace("    build: [module]", "    build: [module]\n    sources: [extra]")
    text += "patches: {main: [patches/main.patch], extra: [patches/extra.patch]}\n"
    write_recipe(folder.parent, text)
    folder.mkdir()
    for name in ("main", "extra"):
        (folder / f"{name}.patch").write_text("+\n")
    before = keys(tmp_path, text)
    # Of another variant.
    (folder / "other.patch").write_text("+\n")
    assert keys(tmp_path, text) == before
    (folder / "extra.patch").write_text("+ changed\n")
    only_python = keys(tmp_path, text)
    assert only_python.compile == before.compile
    assert only_python.build != before.build
    (folder / "main.patch").write_text("+ changed\n")
    assert keys(tmp_path, text).compile != before.compile


@pytest.mark.parametrize(
    ("old", "new", "compiles"),
    [
        ("flags: [-g0]", "flags: [-g1]", True),
        ("compile: [engine]", "compile: [motor]", True),
        ("options: {OPTION: false}", "options: {OPTION: true}", True),
        ("build: [module]", "build: [modules]", False),
        ("{recipe}/module", "{recipe}/modules", False),
        ("lib*.a", "*.a", True),
        ("{python:include}", "{python:version}", False),
        ("pack/__init__.py", "pack/version.py", False),
    ],
)
def test_options_change_the_keys_of_those_who_see_them(
    tmp_path: Path, old: str, new: str, compiles: bool
) -> None:
    before, after = keys(tmp_path), keys(tmp_path, CMAKE.replace(old, new))
    assert (after.compile != before.compile) is compiles
    assert after.build != before.build


def test_a_toolchains_compiler_changes_all_keys(tmp_path: Path) -> None:
    before = keys(tmp_path)
    after = keys(tmp_path, toolchain=TOOLCHAIN.replace("cpu: toy_cpu", "cpu: toy_cpu2"))
    assert after.toolchain != before.toolchain
    assert after.compile != before.compile


@pytest.mark.parametrize(
    ("old", "new"),
    [("a made-up architecture", "another"), ("toy-emulated", "toy-other"), ("[10]", "[9, 10]")],
)
def test_what_a_compiler_does_not_see_changes_no_key(tmp_path: Path, old: str, new: str) -> None:
    assert TOOLCHAIN.count(old) == 1
    assert keys(tmp_path, toolchain=TOOLCHAIN.replace(old, new)) == keys(tmp_path)


def test_the_compile_step_serves_all_pythons(tmp_path: Path, recipe: Recipe) -> None:
    def compiled(version: str) -> tuple[str, str, str]:
        _, step, built = steps(tmp_path, recipe, make_cell(tmp_path, version))
        assert step is not None
        return step.name, step.key, built.key

    new, old = compiled("3.11"), compiled("3.9")
    assert new[:2] == old[:2] == ("compile:pack-1.0-toy", new[1])
    assert new[2] != old[2]


def test_a_pep517_recipe_has_no_compile_step(tmp_path: Path) -> None:
    assert keys(tmp_path, PEP517).compile is None


# --- the toolchain's data ------------------------------------------------------------------------


def test_the_toolchain_is_data_for_bash(cell: Cell, tmp_path: Path) -> None:
    script = tmp_path / "toolchain.sh"
    script.write_text(toolchain_script(cell.toolchain))
    show = 'printf "%s\\n" "$TARGET" "$CPU" "$CLANG_CPU" "${CFLAGS[0]}" "${DROP[@]}" "${MARCH[@]}"'
    output = subprocess.run(
        ["bash", "-euc", f". {script}; {show}"], capture_output=True, text=True, check=True
    ).stdout
    assert output.splitlines() == [
        "arm-toy.2.28",
        "toy_cpu",
        "toy-cpu",
        "-fno-toys",
        "-mtune=*",
        "-mx=a b",
        "armv1*:*=toy_cpu",
    ]


def test_nothing_in_the_data_is_run_by_the_shell(tmp_path: Path) -> None:
    text = TOOLCHAIN.replace("cpu: toy_cpu", "cpu: '$(touch /tmp/never) `x` \"'", 1)
    toolchain = Targets.load(write_toolchains(tmp_path, toolchain=text)).toolchain("toy")
    output = subprocess.run(
        ["bash", "-euc", toolchain_script(toolchain) + 'printf %s "$CPU"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output == '$(touch /tmp/never) `x` "'


def test_paths_of_the_build_are_kept_out_of_the_code(cell: Cell) -> None:
    assert "-ffile-prefix-map=/src/=" in toolchain_script(cell.toolchain)


# --- running --------------------------------------------------------------------------------------


def run_compile(root: Path, recipe: Recipe, cell: Cell) -> FakeEngine:
    """Run the compile step; returns the engine."""
    engine = FakeEngine(done)
    toolchain, compiled, _ = steps(root, recipe, cell, engine=engine)
    assert compiled is not None
    made = root / "made"
    made.mkdir(exist_ok=True)
    compiled.action(workspace(root / "run", {toolchain.name: made}))
    return engine


def done(job: Job, line: Line) -> int:
    del line
    finish(job, hits=3, misses=1)
    return 0


def test_the_container_sees_sources_and_recipe_read_only(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    engine = run_compile(tmp_path, recipe, cell)
    (job,) = engine.jobs
    writable = {m.target for m in job.mounts if m.writable}
    readable = {m.target for m in job.mounts if not m.writable}
    assert readable == {
        "/crosspi/run_commands.py",
        "/crosspi/keep.py",
        *("/toolchain", "/src/main", "/src/extra", "/recipe"),
    }
    assert writable == {"/work", "/out", "/step", "/scratch", "/cache/ccache", "/cache/zig"}
    assert host_path(job, "/recipe") == recipe.folder


def test_a_compile_steps_result_is_what_it_kept(tmp_path: Path, recipe: Recipe, cell: Cell) -> None:
    engine = run_compile(tmp_path, recipe, cell)
    assert host_path(engine.jobs[0], "/out") == tmp_path / "run" / "draft" / "out"


def test_the_builders_commands_go_in(tmp_path: Path, recipe: Recipe, cell: Cell) -> None:
    (job,) = run_compile(tmp_path, recipe, cell).jobs
    data = json.loads((host_path(job, "/step") / "commands.json").read_text())
    assert data["commands"][-2]["argv"][0] == "ninja"
    assert "-j4" in data["commands"][-2]["argv"]


def test_a_build_sees_what_was_compiled_and_copies_nothing(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    engine = FakeEngine(done)
    toolchain, compiled, built = steps(tmp_path, recipe, cell, engine=engine)
    assert compiled is not None
    results = {}
    for name in (toolchain.name, compiled.name, f"python:{cell.identifier}"):
        results[name] = tmp_path / "results" / name
        results[name].mkdir(parents=True)
    values = {"version": "3.11", "tag": "cp311", "ext_suffix": ".toy.so", "include": "/python/i"}
    (results[f"python:{cell.identifier}"] / "python.json").write_text(json.dumps(values))
    built.action(workspace(tmp_path / "run", results))
    (job,) = engine.jobs
    data = json.loads((host_path(job, "/step") / "commands.json").read_text())
    assert host_path(job, "/work/compiled") == results[compiled.name]
    assert "-DINCLUDES=/python/i" in data["commands"][0]["argv"]
    assert not any(m.writable for m in job.mounts if m.target in ("/work/compiled", "/python"))


def test_a_shell_sees_what_a_build_sees(tmp_path: Path, recipe: Recipe, cell: Cell) -> None:
    del cell
    job = shell_job(recipe, tmp_path, machine(tmp_path), tmp_path)
    assert list(job.argv) == ["bash"]
    assert {"/recipe", "/src/main", "/toolchain", "/work"} <= {m.target for m in job.mounts}


def test_a_recipe_folder_is_read_when_the_step_is_made(tmp_path: Path) -> None:
    write_recipe(tmp_path / "recipes" / "pack")
    assert keys(tmp_path) == keys(tmp_path)


def test_a_source_under_another_name_is_another_key(
    tmp_path: Path, recipe: Recipe, cell: Cell
) -> None:
    """Two sources that change places are the same set of source steps."""
    sources = recipe.data.sources
    swapped = replace(
        recipe,
        data=recipe.data.model_copy(
            update={"sources": {**sources, "main": sources["extra"], "extra": sources["main"]}}
        ),
    )
    _, compiled, built = steps(tmp_path, recipe, cell)
    _, compiled_swapped, built_swapped = steps(tmp_path, swapped, cell)
    assert compiled is not None and compiled_swapped is not None
    assert compiled.key != compiled_swapped.key
    assert built.key != built_swapped.key


@pytest.mark.parametrize("place", range(3), ids=["toolchain", "compile", "build"])
def test_no_result_holds_links_that_lead_out(
    tmp_path: Path, recipe: Recipe, cell: Cell, place: int
) -> None:
    def leaves(job: Job, line: Line) -> int:
        del line
        for folder in ("/out", "/work"):
            (host_path(job, folder) / "x").symlink_to("/root/.ssh/id_rsa")
        finish(job)
        return 0

    step = steps(tmp_path, recipe, cell, engine=FakeEngine(leaves))[place]
    assert step is not None
    results = {need.name: tmp_path / "result" for need in step.needs}
    (tmp_path / "result").mkdir()
    values = {"version": "3.11", "tag": "cp311", "ext_suffix": ".so", "include": "/python"}
    (tmp_path / "result" / "python.json").write_text(json.dumps(values))
    work = workspace(tmp_path / "run", results)
    with pytest.raises(BuildError, match="may not leave"):
        step.action(work)
