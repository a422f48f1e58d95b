"""From a request to published wheels, with an engine that only pretends."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import (
    TOOLCHAIN,
    host_path,
    write_recipe,
)
from projects import PACK, Bare, Board, ask, project_at

from crosspi import run as run_module
from crosspi.cli.session import Terminated
from crosspi.containers.engine import Line
from crosspi.containers.job import Job
from crosspi.errors import (
    AuditError,
    BuildError,
    EmulatorError,
    EngineError,
    SmokeError,
    UnexpectedError,
)
from crosspi.graph import Graph
from crosspi.index.publishing import listing
from crosspi.project import Project
from crosspi.run import Result, build
from crosspi.work.plan import State, pending


def made(result: Result) -> set[str]:
    return {o.step.name for o in result.outcomes if o.state is State.BUILT}


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
        assert data["steps"]["smoke"]["toy1"]["sha256"] == digest
        assert f"step build:{data['recipe']}-{data['version']}-cp311-toy" in data["steps"]
        assert set(data["made_with"]["images"]) == {"toolchain", "python-cp311-toy"}
        toolchain = data["made_with"]["images"]["toolchain"]
        assert "zlib1g 1:1.2.13 amd64" in toolchain["packages"]  # the wheel's compressor
        assert data["made_with"]["emulator"] == "qemu-arm version 0"
        assert "capstone " in data["made_with"]["audit"]


TWO = "cpuinfo: cpuinfo.txt}, {name: toy2, plays: Toy 2, cpu: max, cpuinfo: cpuinfo.txt, note: x}]"


def on_two_boards(checkout: Path) -> None:
    path = checkout / "toolchains" / "toy.yaml"
    path.write_text(path.read_text().replace("cpuinfo: cpuinfo.txt}]", TWO))


def test_a_wheel_is_proven_on_each_board(checkout: Path) -> None:
    on_two_boards(checkout)
    project = project_at(checkout)
    result = build(project, ask(project, "other"))
    (wheel,) = result.published
    data = json.loads(wheel.with_name(wheel.name + ".json").read_text())
    assert {n: s["emulated"]["cpu"] for n, s in data["steps"]["smoke"].items()} == {
        "toy1": "toy-emulated",
        "toy2": "max",
    }
    assert {name for name in data["proof"] if name.startswith("smoke")} == {
        "smoke:other-2.0-cp311-toy-toy1",
        "smoke:other-2.0-cp311-toy-toy2",
    }


def test_a_new_board_runs_only_its_own_test(checkout: Path) -> None:
    assert rebuilt(checkout, lambda: on_two_boards(checkout)) == {
        "smoke:pack-1.0-cp311-toy-toy2",
        "smoke:other-2.0-cp311-toy-toy2",
    }


def test_a_wheel_that_fails_on_one_board_is_not_published(checkout: Path) -> None:
    on_two_boards(checkout)
    board = Board()
    good = board.smoke

    def fails_on_the_newer(job: Job) -> int:
        code = good(job)
        if job.environment["QEMU_CPU"] == "max":
            (host_path(job, "/out") / "exit.json").write_text('{"install": 0, "harness": -11}')
        return code

    board.smoke = fails_on_the_newer  # type: ignore[method-assign]
    project = project_at(checkout, board)
    result = build(project, ask(project, "other"), keep_going=True)
    states = {o.step.name: o.state for o in result.outcomes if o.step.kind == "smoke"}
    assert states == {
        "smoke:other-2.0-cp311-toy-toy1": State.BUILT,
        "smoke:other-2.0-cp311-toy-toy2": State.FAILED,
    }
    assert result.published == []
    assert "on toy2" in result.errors[0].where


def no_engine(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project where no engine answers."""

    def refuse() -> None:
        raise EngineError("no Docker engine answers")

    monkeypatch.setattr("crosspi.containers.engine.Engine.connect", refuse)
    project = project_at(checkout)
    del vars(project)["_engine"]
    return project


def test_what_is_all_in_the_store_needs_no_engine(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(project_at(checkout), ask(project_at(checkout), "pack"))
    project = no_engine(checkout, monkeypatch)
    result = build(project, ask(project, "pack"))
    assert result.errors == []
    assert made(result) == set()
    assert len(result.published) == 2


def test_what_must_run_needs_an_engine(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(project_at(checkout), ask(project_at(checkout), "pack"))
    (checkout / "recipes" / "pack" / "smoke.py").write_text("# new\n")
    project = no_engine(checkout, monkeypatch)
    with pytest.raises(EngineError, match="no Docker engine answers"):
        build(project, ask(project, "pack"))


def test_a_plan_needs_no_engine(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(project_at(checkout), ask(project_at(checkout), "pack"))
    (checkout / "recipes" / "pack" / "smoke.py").write_text("# new\n")
    project = no_engine(checkout, monkeypatch)
    project.only_looks = True
    goals = [s for w in Graph(project).products(ask(project, "pack")) for s in w.goals]
    planned = pending(goals, project.store)
    assert {item.step.kind for item in planned} == {"smoke"}
    assert {item.reason for item in planned} == {"changed: smoke test"}


@pytest.mark.parametrize("error", [KeyError("x"), OSError(5, "Input/output error")])
def test_a_wheel_that_cannot_be_published_ends_nothing_else(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = run_module.publish

    def publish(dist: Path, wheel: Path, *about: Any) -> Path:
        if wheel.name.startswith("other"):
            raise error
        return real(dist, wheel, *about)

    monkeypatch.setattr(run_module, "publish", publish)
    project = project_at(checkout)
    result = build(project, ask(project, "pack"))
    assert [type(e) for e in result.errors] == [UnexpectedError]
    assert [path.name.split("-")[0] for path in result.published] == ["pack"]
    log = project.paths.logs / "publish-other-2.0-cp311-toy.log"
    assert "Traceback" in log.read_text()
    assert str(log) in result.errors[0].where


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
    assert rebuilt(checkout, lambda: script.write_text("# new\n")) == {
        "smoke:pack-1.0-cp311-toy-toy1"
    }


def test_a_changed_licence_compiles_nothing(checkout: Path) -> None:
    def change() -> None:
        write_recipe(checkout / "recipes" / "pack", PACK.replace("MIT", "Apache-2.0"))

    assert rebuilt(checkout, change) == {
        f"{name}{board}"
        for number in ("", "-1")
        for kind, board in (("wheel", ""), ("audit", ""), ("smoke", "-toy1"))
        for name in [f"{kind}:pack-1.0-cp311-toy{number}"]
    }


def test_other_bytes_of_a_version_get_a_build_number_and_proofs_of_their_own(
    checkout: Path,
) -> None:
    project = project_at(checkout)
    build(project, ask(project, "pack"))
    old = project.paths.dist / "pack-1.0-cp311-cp311-linux_toyl.whl"
    before = old.read_bytes()
    write_recipe(checkout / "recipes" / "pack", PACK.replace("MIT", "Apache-2.0"))
    project = project_at(checkout)
    result = build(project, ask(project, "pack"))
    assert result.errors == []
    (new,) = [p for p in result.published if p.name.startswith("pack")]
    assert new.name == "pack-1.0-1-cp311-cp311-linux_toyl.whl"
    assert old.read_bytes() == before
    data = json.loads(new.with_name(new.name + ".json").read_text())
    digest = hashlib.sha256(new.read_bytes()).hexdigest()
    assert data["sha256"] == data["steps"]["audit"]["sha256"] == digest
    assert data["steps"]["smoke"]["toy1"]["sha256"] == digest != data["packed"]
    with zipfile.ZipFile(new) as archive:
        assert b"\nBuild: 1\n" in archive.read("pack-1.0.dist-info/WHEEL")
    # With nothing changed the number stays, and nothing runs.
    project = project_at(checkout)
    again = build(project, ask(project, "pack"))
    assert made(again) == set()
    assert new in again.published
    assert sorted(p.name for p in project.paths.dist.glob("pack*.whl")) == [new.name, old.name]
    # And what it was before is what it was called before.
    write_recipe(checkout / "recipes" / "pack", PACK)
    project = project_at(checkout)
    assert old in build(project, ask(project, "pack")).published


def test_a_published_wheel_that_fails_its_smoke_test_now_is_withdrawn(checkout: Path) -> None:
    project = project_at(checkout)
    build(project, ask(project, "pack"))
    pages = project.paths.dist / "simple"
    (checkout / "recipes" / "pack" / "smoke.py").write_text("# finds more\n")
    project = project_at(checkout, Failing())
    result = build(project, ask(project, "pack"))
    assert [type(error) for error in result.errors] == [SmokeError]
    assert not (pages / "pack").exists()
    assert (pages / "other" / "index.html").is_file()
    (wheel,) = listing(project.paths.dist).withdrawn
    assert wheel.name == "pack-1.0-cp311-cp311-linux_toyl.whl"
    # Proven again it is back.
    project = project_at(checkout)
    assert wheel in build(project, ask(project, "pack")).published
    assert (pages / "pack" / "index.html").is_file()


def test_a_crashed_emulator_withdraws_nothing(checkout: Path) -> None:
    project = project_at(checkout)
    build(project, ask(project, "pack"))
    (checkout / "recipes" / "pack" / "smoke.py").write_text("# finds more\n")
    project = project_at(checkout, Crashing())
    result = build(project, ask(project, "pack"))
    assert [type(error) for error in result.errors] == [EmulatorError]
    assert listing(project.paths.dist).withdrawn == {}


class Failing(Board):
    """A board on which the smoke test of pack fails."""

    def smoke(self, job: Job) -> int:
        code = super().smoke(job)
        path = host_path(job, "/out") / "results.json"
        results = json.loads(path.read_text())
        results["tests"] = [{"name": "t", "outcome": "failed", "seconds": 0}]
        path.write_text(json.dumps({**results, "outcome": "failed"}))
        return code


class Crashing(Board):
    """An emulator that ends before its test does."""

    def smoke(self, job: Job) -> int:
        del job
        return 139


def test_a_changed_python_option_compiles_nothing(checkout: Path) -> None:
    def change() -> None:
        text = PACK.replace('INCLUDES: "{python:include}"', 'OTHER: "{python:include}"')
        write_recipe(checkout / "recipes" / "pack", text)

    assert rebuilt(checkout, change) == {
        *(f"{kind}:pack-1.0-cp311-toy" for kind in ("build", "wheel", "audit")),
        "smoke:pack-1.0-cp311-toy-toy1",
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
    assert states["build:pack-1.0-cp311-toy"] is State.FAILED
    assert states["smoke:pack-1.0-cp311-toy-toy1"] is State.BLOCKED


def test_a_failed_build_goes_on_where_it_was(checkout: Path) -> None:
    board = Board()
    board.fails = '"module"'
    project = project_at(checkout, board)
    build(project, ask(project, "pack"))
    board.fails = ""
    assert "compile:pack-1.0-toy" not in made(build(project, ask(project, "pack")))


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
    goals = [s for w in Graph(project).products(ask(project, "pack")) for s in w.smokes]
    assert pending(goals, project.store) == []


# --- a Python of parts ----------------------------------------------------------------------------


@pytest.mark.usefixtures("lawful")
def test_a_part_becomes_the_board_of_the_tests(parts: Path) -> None:
    board = Bare()
    project = project_at(parts, board)
    result = build(project, ask(project, "other"))
    assert result.errors == []
    order = [o.step.name for o in result.outcomes if o.state is State.BUILT]
    chain = ["part:base", "part:system", "image:python-cp311-toy", "python:cp311-toy"]
    chain += ["build:other-2.0-cp311-toy", "smoke:other-2.0-cp311-toy-toy1"]
    assert [name for name in order if name in chain] == chain
    assert order.index("audit:system-toy") < order.index("smoke:other-2.0-cp311-toy-toy1")
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
    (parts / "systems" / "system" / "build.sh").write_text("make all\n")
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
    assert made(result) == {
        "audit:system-toy",
        "audit:other-2.0-cp311-toy",
        "smoke:other-2.0-cp311-toy-toy1",
    }
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
    assert states["smoke:other-2.0-cp311-toy-toy1"] is State.BLOCKED
    assert states["image:python-cp311-toy"] is State.BUILT
    assert states["wheel:other-2.0-cp311-toy"] is State.BUILT
    assert not project.paths.dist.exists() or not list(project.paths.dist.rglob("*.whl"))
