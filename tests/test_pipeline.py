"""From a request to published wheels, with an engine that only pretends."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from making import (
    PEP517,
    PYTHONS,
    TOOLCHAIN,
    ZEROS,
    good_tree,
    host_path,
    write_recipe,
    write_toolchains,
)
from projects import PACK, Board, ask, project_at

from crosspi.cli import Terminated
from crosspi.engine import Job, Line
from crosspi.errors import AuditError, BuildError, DataError, UsageError
from crosspi.pipeline import Graph, Result, build
from crosspi.plan import State, Step, closure, pending

BASE = "{sysroot: base}"
SYSTEM = '{SYSTEM: "\\x7fELF"}'


def made(result: Result) -> set[str]:
    return {o.step.name for o in result.outcomes if o.state is State.BUILT}


# --- the request ----------------------------------------------------------------------------------


def test_boards_of_one_architecture_are_one_cell(checkout: Path) -> None:
    request = project_at(checkout).request(["toy1,toy2", "toy"], ["3.11", "cp311,3.9"], ["pack"])
    assert [cell.identifier for _, cell in request.wheels] == ["cp311-toy", "cp39-toy"]


@pytest.mark.parametrize(
    ("targets", "pythons", "what", "fix"),
    [
        ([], ["3.11"], "for which board?", "toy1, toy2"),
        (["toy1"], [], "for which Python?", "3.11, 3.9"),
        (["pi5"], ["3.11"], "not a target", ""),
        (["toy1"], ["4.0"], "no Python", "known: 3.11, 3.9"),
    ],
)
def test_a_request_must_be_understood(
    checkout: Path, targets: list[str], pythons: list[str], what: str, fix: str
) -> None:
    with pytest.raises(UsageError) as caught:
        project_at(checkout).request(targets, pythons, [])
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_a_recipe_that_cannot_serve_a_python_says_why(checkout: Path) -> None:
    text = PACK.replace('pythons: ">=3.9"', 'pythons: ">=3.10"\nunsupported: {"<3.10": too old}')
    write_recipe(checkout / "recipes" / "pack", text)
    project = project_at(checkout)
    with pytest.raises(UsageError, match="cannot be built") as caught:
        Graph(project).wheels(ask(project, "pack", pythons="3.9,3.11"))
    assert caught.value.where == "pack for cp39-toy: too old"


def test_a_recipe_without_a_reason_names_the_pythons_that_it_serves(checkout: Path) -> None:
    text = PACK.replace('pythons: ">=3.9"', 'pythons: ">=3.10"')
    write_recipe(checkout / "recipes" / "pack", text)
    project = project_at(checkout)
    ((package, cell),) = ask(project, "pack", pythons="3.9").wheels
    assert project.refusal(package, cell) == "it supports >=3.10"


def test_what_a_package_needs_must_serve_the_python_too(checkout: Path) -> None:
    text = PEP517.replace('pythons: ">=3.9"', 'pythons: ">=3.10"')
    write_recipe(checkout / "recipes" / "other", text)
    project = project_at(checkout)
    ((package, cell),) = ask(project, "pack", pythons="3.9").wheels
    assert project.refusal(package, cell) == "it needs other: it supports >=3.10"


# --- the graph ------------------------------------------------------------------------------------


def test_the_graph_of_a_wheel(checkout: Path) -> None:
    project = project_at(checkout)
    wheels = Graph(project).wheels(ask(project, "pack"))
    assert sorted(w.recipe.name for w in wheels) == ["other", "pack"]
    names = {step.name for w in wheels for step in closure([w.smoke])}
    assert names == {
        "image:toolchain",
        "image:python-cp311-toy",
        "toolchain:toy",
        "python:cp311-toy",
        "compile:pack-toy",
        "source:main-00000000",
        "source:extra-11111111",
        "source:other-22222222",
        "source:tool-1-py3-none-any.whl-33333333",
        *(
            f"{kind}:{recipe}-cp311-toy"
            for kind in ("build", "wheel", "audit", "smoke")
            for recipe in ("pack", "other")
        ),
    }


def test_a_source_is_one_step_whatever_recipes_call_it(checkout: Path) -> None:
    text = PEP517.replace(f"sha256:{64 * '2'}", ZEROS).replace("local: other", "local: elsewhere")
    write_recipe(checkout / "recipes" / "other", text)
    project = project_at(checkout)
    steps = closure([w.smoke for w in Graph(project).wheels(ask(project, "pack"))])
    (source,) = {s.name for s in steps if s.kind == "source" and s.inputs == {"pin": 64 * "0"}}
    users = [s.name for s in steps if source in {need.name for need in s.needs}]
    assert source.endswith("-00000000")
    assert {"build:pack-cp311-toy", "build:other-cp311-toy"} <= set(users)


def test_two_pythons_share_what_is_compiled(checkout: Path) -> None:
    project = project_at(checkout)
    wheels = Graph(project).wheels(ask(project, "pack", pythons="3.11,3.9"))
    steps = {step.name: step for w in wheels for step in closure([w.smoke])}
    assert [name for name in steps if name.startswith("compile:")] == ["compile:pack-toy"]
    assert len([name for name in steps if name.startswith("build:pack")]) == 2


def test_recipes_of_a_package_share_what_is_compiled(checkout: Path) -> None:
    text = PACK.replace("  python:\n", "  python:\n    sources: [late]\n")
    text = text.replace('pythons: ">=3.9"', 'pythons: ">=3.10"')
    late = "  late: {tree: sha256:%s, origins: [{local: late}]}\n"
    text = text.replace("build:\n", late % (64 * "7") + "build:\n", 1)
    text += 'variants:\n- pythons: "==3.9.*"\n  sources:\n  ' + late % (64 * "8")
    write_recipe(checkout / "recipes" / "pack", text)
    graph = Graph(project_at(checkout))
    wheels = graph.wheels(ask(project_at(checkout), "pack", pythons="3.9,3.11"))
    steps = {step for w in wheels for step in closure([w.smoke])}
    names = [step.name for step in steps]
    assert names.count("compile:pack-toy") == 1
    (compiled,) = [step for step in steps if step.kind == "compile"]
    assert "late" not in " ".join(step.name for step in closure([compiled]))
    assert {"source:late-77777777", "source:late-88888888"} < set(names)


def test_a_smoke_test_installs_what_its_wheel_needs(checkout: Path) -> None:
    project = project_at(checkout)
    (pack,) = [w for w in Graph(project).wheels(ask(project, "pack")) if w.recipe.name == "pack"]
    needs = {need.name for need in pack.smoke.needs}
    assert {"wheel:other-cp311-toy", "audit:other-cp311-toy"} <= needs


# --- a Python of parts ----------------------------------------------------------------------------


class Bare(Board):
    """Has no image but those of tools, until one is made."""

    def image_architecture(self, tag: str) -> str | None:
        return self.images.get(tag) if "python" in tag else "amd64"

    def work(self, job: Job, line: Line) -> int:
        if job.environment.get("SYSTEM"):
            root = host_path(job, "/out") / "root" / "bin"
            root.mkdir(parents=True)
            (root / "python3").write_bytes(job.environment["SYSTEM"].encode("latin1"))
        return super().work(job, line)


@pytest.fixture
def parts(checkout: Path) -> Path:
    """A checkout whose Python 3.11 is a part's root."""
    pythons = PYTHONS.replace(
        "{image: toy-python, suite: bookworm, architecture: armhf}",
        "{part: system, platform: linux/arm/v6}",
    )
    write_toolchains(checkout / "toolchains", pythons=pythons)
    tools = checkout / "dockerfiles" / "tools"
    shutil.copytree(checkout / "dockerfiles" / "toolchain", tools)
    (tools / "Dockerfile").write_text("FROM y\n")
    for name, needs, environment in (("base", "{}", "{}"), ("system", BASE, SYSTEM)):
        folder = checkout / "recipes" / name
        folder.mkdir()
        (folder / "build.sh").write_text("make\n")
        (folder / "part.yaml").write_text(
            f'name: {name}\nversion: "1"\nsummary: s\nlicence: MIT\nhomepage: h\nimage: tools\n'
            f"needs: {needs}\nenvironment: {environment}\n"
            f"sources: {{code: {{tree: {ZEROS}, origins: [{{local: code}}]}}}}\n"
        )
    return checkout


@pytest.fixture
def lawful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part's ELF file, which is a mere beginning of one, passes its audit."""
    monkeypatch.setattr("crosspi.audit.auditing.audit_tree", good_tree)


def needed(steps: Sequence[Step], name: str) -> set[str]:
    (step,) = [step for step in steps if step.name == name]
    return {need.name for need in step.needs}


def test_the_graph_of_a_python_of_parts(parts: Path) -> None:
    project = project_at(parts)
    (wheel,) = Graph(project).wheels(ask(project, "other"))
    steps = closure([wheel.smoke])
    assert needed(steps, "part:base") == {"image:tools", "source:code-00000000"}
    assert needed(steps, "part:system") == {"image:tools", "part:base", "source:code-00000000"}
    assert needed(steps, "audit:system-toy") == {"part:system"}
    assert needed(steps, "image:python-cp311-toy") == {"part:system"}
    assert needed(steps, "python:cp311-toy") == {"image:python-cp311-toy"}
    assert needed(steps, "smoke:other-cp311-toy") == {
        "image:python-cp311-toy",
        "wheel:other-cp311-toy",
        "audit:other-cp311-toy",
        "audit:system-toy",
    }


def test_a_parts_own_smoke_test_comes_before_those_of_wheels(parts: Path) -> None:
    system = parts / "recipes" / "system"
    (system / "smoke.py").write_text("# tests\n")
    path = system / "part.yaml"
    path.write_text(path.read_text() + "smoke: {data: {code: Lib}, folders: {tests: base}}\n")
    project = project_at(parts)
    (wheel,) = Graph(project).wheels(ask(project, "other"))
    steps = closure([wheel.smoke])
    assert needed(steps, "smoke:system-cp311-toy") == {
        "image:python-cp311-toy",
        "part:base",
        "audit:system-toy",
    }
    assert "smoke:system-cp311-toy" in needed(steps, "smoke:other-cp311-toy")


def test_binaries_of_others_are_not_audited(parts: Path) -> None:
    path = parts / "recipes" / "system" / "part.yaml"
    path.write_text(path.read_text() + "prebuilt: true\n")
    project = project_at(parts)
    (wheel,) = Graph(project).wheels(ask(project, "other"))
    assert "audit:system-toy" not in {step.name for step in closure([wheel.smoke])}


def test_a_python_of_a_part_that_does_not_exist(parts: Path) -> None:
    path = parts / "toolchains" / "pythons.yaml"
    path.write_text(path.read_text().replace("part: system", "part: sistem"))
    project = project_at(parts)
    assert project.part("system").name == "system"
    with pytest.raises(DataError, match="there is no part 'sistem'") as caught:
        Graph(project).wheels(ask(project, "other"))
    assert caught.value.exit_code == 3
    assert caught.value.where == str(path)
    assert caught.value.fix == "did you mean system?"


def test_packaged_and_built_pythons_stand_side_by_side(parts: Path) -> None:
    project = project_at(parts)
    wheels = Graph(project).wheels(ask(project, "other", pythons="3.11,3.9"))
    steps = closure([w.smoke for w in wheels])
    assert needed(steps, "image:python-cp39-toy") == set()
    assert "audit:system-toy" not in needed(steps, "smoke:other-cp39-toy")
    assert len([step for step in steps if step.kind == "part"]) == 2


@pytest.mark.usefixtures("lawful")
def test_a_part_becomes_the_board_of_the_tests(parts: Path) -> None:
    board = Bare()
    project = project_at(parts, board)
    result = build(project, ask(project, "other"))
    assert result.errors == []
    order = [o.step.name for o in result.outcomes if o.state is State.BUILT]
    chain = ["part:base", "part:system", "image:python-cp311-toy", "python:cp311-toy"]
    chain += ["build:other-cp311-toy", "smoke:other-cp311-toy"]
    assert [name for name in order if name in chain] == chain
    assert order.index("audit:system-toy") < order.index("smoke:other-cp311-toy")
    ((tag, (root, platform)),) = board.imported.items()
    assert platform == "linux/arm/v6"
    with tarfile.open(fileobj=io.BytesIO(root)) as archive:
        assert "./bin/python3" in archive.getnames()
    assert board.jobs[-1].image == tag
    tools = {job.image for job in board.jobs if "/sysroot" in {m.target for m in job.mounts}}
    assert [image.split(":")[0] for image in tools] == ["crosspi/tools"]


@pytest.mark.usefixtures("lawful")
def test_what_is_there_of_a_part_is_taken(parts: Path) -> None:
    board = Bare()
    project = project_at(parts, board)
    build(project, ask(project, "other"))
    project = project_at(parts, board)
    assert made(build(project, ask(project, "other"))) == set()
    board.images.clear()
    project = project_at(parts, board)
    again = build(project, ask(project, "other"), force=False)
    assert again.errors == []
    assert not any(name.startswith("part:") for name in made(again))


@pytest.mark.usefixtures("lawful")
def test_a_changed_script_makes_the_board_anew(parts: Path) -> None:
    board = Bare()
    project = project_at(parts, board)
    build(project, ask(project, "other"))
    (parts / "recipes" / "system" / "build.sh").write_text("make all\n")
    project = project_at(parts, board)
    names = made(build(project, ask(project, "other")))
    assert {"part:system", "audit:system-toy", "image:python-cp311-toy"} <= names
    assert "part:base" not in names
    assert len(board.imported) == 2


@pytest.mark.usefixtures("lawful")
def test_a_changed_law_only_audits_and_tests_anew(parts: Path) -> None:
    board = Bare()
    project = project_at(parts, board)
    build(project, ask(project, "other"))
    law = parts / "toolchains" / "toy.yaml"
    law.write_text(TOOLCHAIN.replace("arch_tags: [10]", "arch_tags: [9, 10]"))
    project = project_at(parts, board)
    result = build(project, ask(project, "other"))
    assert result.errors == []
    assert made(result) == {"audit:system-toy", "audit:other-cp311-toy", "smoke:other-cp311-toy"}
    assert len(result.published) == len(board.imported) == 1


def test_a_part_that_breaks_the_law_is_no_board(parts: Path) -> None:
    board = Bare()
    project = project_at(parts, board)
    result = build(project, ask(project, "other"), keep_going=True)
    (error,) = result.errors
    assert isinstance(error, AuditError)
    assert "bin/python3" in error.why
    assert result.published == []
    assert not any("/index" in {m.target for m in job.mounts} for job in board.jobs)
    states = {o.step.name: o.state for o in result.outcomes}
    assert states["audit:system-toy"] is State.FAILED
    assert states["smoke:other-cp311-toy"] is State.BLOCKED
    assert states["image:python-cp311-toy"] is State.BUILT
    assert states["wheel:other-cp311-toy"] is State.BUILT
    assert not project.paths.dist.exists() or not list(project.paths.dist.rglob("*.whl"))


# --- building -------------------------------------------------------------------------------------


def test_a_build_publishes_proven_wheels(checkout: Path) -> None:
    project = project_at(checkout)
    result = build(project, ask(project, "pack"))
    assert result.errors == []
    assert sorted(p.name for p in result.published) == [
        "other-2.0-cp311-cp311-linux_toyl.whl",
        "pack-1.0-cp311-cp311-linux_toyl.whl",
    ]
    assert (project.paths.dist / "simple" / "pack" / "index.html").is_file()
    for wheel in result.published:
        data = json.loads(wheel.with_name(wheel.name + ".json").read_text())
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        assert data["sha256"] == data["steps"]["audit"]["sha256"] == digest
        assert data["steps"]["smoke"]["sha256"] == digest
        assert f"step build:{data['recipe']}-cp311-toy" in data["steps"]


def rebuilt(checkout: Path, change: Callable[[], object]) -> set[str]:
    """The steps that a change makes run again."""
    project = project_at(checkout)
    build(project, ask(project, "pack"))
    change()
    project = project_at(checkout)
    result = build(project, ask(project, "pack"))
    assert result.errors == []
    return made(result)


def test_nothing_changed_nothing_runs(checkout: Path) -> None:
    assert rebuilt(checkout, lambda: None) == set()


def test_a_changed_smoke_test_runs_only_itself(checkout: Path) -> None:
    script = checkout / "recipes" / "pack" / "smoke.py"
    assert rebuilt(checkout, lambda: script.write_text("# new\n")) == {"smoke:pack-cp311-toy"}


def test_a_changed_licence_compiles_nothing(checkout: Path) -> None:
    def change() -> None:
        write_recipe(checkout / "recipes" / "pack", PACK.replace("MIT", "Apache-2.0"))

    assert rebuilt(checkout, change) == {
        f"{kind}:pack-cp311-toy" for kind in ("wheel", "audit", "smoke")
    }


def test_a_changed_python_option_compiles_nothing(checkout: Path) -> None:
    def change() -> None:
        text = PACK.replace('INCLUDES: "{python:include}"', 'OTHER: "{python:include}"')
        write_recipe(checkout / "recipes" / "pack", text)

    assert rebuilt(checkout, change) == {
        f"{kind}:pack-cp311-toy" for kind in ("build", "wheel", "audit", "smoke")
    }


def test_a_failing_build_publishes_nothing_of_itself(checkout: Path) -> None:
    board = Board()
    board.fails = '"module"'
    project = project_at(checkout, board)
    result = build(project, ask(project, "pack", "other"), keep_going=True)
    (error,) = result.errors
    assert isinstance(error, BuildError)
    assert "error: it broke" in error.why
    assert [p.name.split("-")[0] for p in result.published] == ["other"]
    states = {o.step.name: o.state for o in result.outcomes}
    assert states["build:pack-cp311-toy"] is State.FAILED
    assert states["smoke:pack-cp311-toy"] is State.BLOCKED


def test_a_failed_build_goes_on_where_it_was(checkout: Path) -> None:
    board = Board()
    board.fails = '"module"'
    project = project_at(checkout, board)
    build(project, ask(project, "pack"))
    board.fails = ""
    assert "compile:pack-toy" not in made(build(project, ask(project, "pack")))


def test_sigterm_is_not_taken_for_a_failed_step(checkout: Path) -> None:
    board = Board()

    def terminated(_job: Job, _line: Line) -> int:
        raise Terminated("SIGTERM")

    board.on_run = terminated
    project = project_at(checkout, board)
    with pytest.raises(Terminated):
        build(project, ask(project, "pack"), keep_going=True)
    assert list((project.paths.store / "drafts").iterdir()) == []


def test_the_number_of_jobs_changes_no_plan(checkout: Path) -> None:
    project = project_at(checkout)
    build(project, ask(project, "pack"))
    project = project_at(checkout)
    project.jobs = 77
    goals = [w.smoke for w in Graph(project).wheels(ask(project, "pack"))]
    assert pending(goals, project.store) == []
