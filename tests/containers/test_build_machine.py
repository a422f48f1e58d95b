"""The build machine: what a container sees, what it cost, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from making import ZEROS, FakeEngine, FakeSources, finish, host_path, machine, workspace

from crosspi.containers import build_machine as module
from crosspi.containers.build_machine import build_job, run_commands, source_mounts
from crosspi.containers.engine import Line
from crosspi.containers.job import Command, Job, Mount
from crosspi.data.source import Source
from crosspi.errors import BuildError, DiskFullError
from crosspi.said import TAIL
from crosspi.work.plan import Workspace

COMMANDS: Sequence[Command] = [{"argv": ["true"]}]


def done(job: Job, line: Line) -> int:
    del line
    finish(job, hits=3, misses=1)
    return 0


def run(
    root: Path, on_run: Callable[[Job, Line], int] = done, **options: Any
) -> tuple[Job, Workspace, list[str]]:
    """Run commands; returns the job, the workspace, and what was shown of it."""
    engine = FakeEngine(on_run)
    work = workspace(root / "run")
    lines: list[str] = []
    work.line = lines.append
    values: dict[str, Any] = {"commands": COMMANDS, "mounts": [], "environment": {}, **options}
    run_commands(machine(root, engine), work, **values)
    (job,) = engine.jobs
    return job, work, lines


# --- what a container sees ------------------------------------------------------------------------


def test_a_container_sees_its_own_folders_and_the_caches(tmp_path: Path) -> None:
    more = Mount(tmp_path, "/more")
    job, _, _ = run(tmp_path, mounts=[more])
    assert {m.target for m in job.mounts if not m.writable} == {"/crosspi/run_commands.py", "/more"}
    assert {m.target for m in job.mounts if m.writable} == {
        *("/work", "/out", "/step", "/scratch"),
        *("/cache/ccache", "/cache/zig"),
    }
    assert host_path(job, "/cache/ccache") == tmp_path / "caches" / "ccache"
    assert all(m.source.exists() for m in job.mounts)
    assert job.image == "machine:1"
    assert job.workdir == "/work"


def test_caches_that_were_there_are_given_to_the_containers_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found on an empty machine: zig's own cache was root's, and no toolchain could be made."""
    given: list[Path] = []
    monkeypatch.setattr(module, "give_to_container_user", given.append)
    for name in ("ccache", "zig"):
        (tmp_path / "caches" / name).mkdir(parents=True)
    run(tmp_path)
    assert {tmp_path / "caches" / "ccache", tmp_path / "caches" / "zig"} <= set(given)


def test_memory_is_for_small_files(tmp_path: Path) -> None:
    job, _, _ = run(tmp_path, tmpfs=("/need",))
    assert list(job.tmpfs) == ["/tmp", "/need"]


def test_the_driver_runs_the_commands_of_a_file(tmp_path: Path) -> None:
    job, _, _ = run(tmp_path)
    assert list(job.argv) == ["python3", "/crosspi/run_commands.py", "/step/commands.json"]
    assert host_path(job, "/crosspi/run_commands.py").is_file()
    data = json.loads((host_path(job, "/step") / "commands.json").read_text())
    assert data == {"commands": COMMANDS, "usage": "/step/usage.json"}


def test_the_result_is_the_out_folder(tmp_path: Path) -> None:
    job, work, _ = run(tmp_path)
    assert host_path(job, "/out") == work.out
    assert host_path(job, "/work") == work.out.parent / "work"


def test_the_result_does_not_depend_on_clock_or_language(tmp_path: Path) -> None:
    environment = run(tmp_path)[0].environment
    assert environment["SOURCE_DATE_EPOCH"] == "315532800"
    assert environment["LC_ALL"] == "C.UTF-8"


def test_zig_keeps_its_work_on_disk_and_its_results_in_the_cache(tmp_path: Path) -> None:
    job, _, _ = run(tmp_path)
    assert job.environment["ZIG_LOCAL_CACHE_DIR"] == "/scratch/zig"
    assert job.environment["ZIG_GLOBAL_CACHE_DIR"] == "/cache/zig"
    assert job.environment["CCACHE_DIR"] == "/cache/ccache"


def test_a_steps_own_environment_comes_last(tmp_path: Path) -> None:
    job, _, _ = run(tmp_path, environment={"LC_ALL": "C", "MORE": "1"})
    assert job.environment["LC_ALL"] == "C"
    assert job.environment["MORE"] == "1"
    assert "CCACHE_DIR" in job.environment


def test_caches_are_kept(tmp_path: Path) -> None:
    kept = tmp_path / "caches" / "zig" / "kept"
    for _ in range(2):
        build_job(machine(tmp_path), ["bash"], mounts=[], environment={}, tmpfs=())
        kept.touch()
    assert kept.is_file()


class Files(FakeSources):
    """Every source is one file."""

    def fetch(self, name: str, source: Any, *, base: Path = Path()) -> Path:
        folder = super().fetch(name, source, base=base)
        (folder / "tool.whl").touch()
        return folder / "tool.whl"


@pytest.mark.parametrize("kind", [FakeSources, Files])
def test_a_source_is_a_folder_under_its_name(tmp_path: Path, kind: type[FakeSources]) -> None:
    source = Source.model_validate({"file": ZEROS, "origins": [{"local": "tool.whl"}]})
    made = module.BuildMachine(
        engine=FakeEngine(),
        image=machine(tmp_path).image,
        sources=kind.at(tmp_path / "sources"),
        caches=tmp_path,
        jobs=1,
    )
    (mount,) = source_mounts({"tool": source}, tmp_path, made)
    assert mount == Mount(tmp_path / "sources" / source.digest, "/src/tool")


def test_the_driver_is_known_by_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "run_commands.py"
    driver.write_text("1")
    made = machine(tmp_path)
    before = made.room({})
    monkeypatch.setattr(module, "_DRIVER", driver)
    one = made.room({})
    driver.write_text("2")
    assert len({before, one, made.room({})}) == 3


# --- what it says ---------------------------------------------------------------------------------


def test_the_cost_is_what_the_container_says(tmp_path: Path) -> None:
    _, work, lines = run(tmp_path)
    cost = work.cost
    assert (cost.cpu, cost.ccache_hits, cost.ccache_misses) == (1.5, 3, 1)
    assert work.notes == {}
    assert lines == []


def test_flags_that_the_wrapper_dropped_are_reported(tmp_path: Path) -> None:
    def work(job: Job, line: Line) -> int:
        del line
        finish(job, dropped={"-mtune=x": 12, "-my": 1})
        return 0

    _, given, lines = run(tmp_path, work)
    assert given.notes["dropped flags"] == {"-mtune=x": 12, "-my": 1}
    assert lines == ["flags changed by the wrapper: 12× -mtune=x, 1× -my"]


def test_what_it_prints_is_shown(tmp_path: Path) -> None:
    def work(job: Job, line: Line) -> int:
        line("compiling")
        return done(job, line)

    assert run(tmp_path, work)[2] == ["compiling"]


def test_a_failing_container_shows_the_end_of_its_log(tmp_path: Path) -> None:
    def work(_: Job, line: Line) -> int:
        for number in range(100):
            line(f"line {number}")
        line("error: no such thing")
        return 1

    with pytest.raises(BuildError) as caught:
        run(tmp_path, work)
    error = caught.value
    assert error.exit_code == 8
    assert "(exit code 1)" in error.what
    assert str(tmp_path / "run" / "log") in error.where
    assert error.why.splitlines()[-1] == "error: no such thing"
    assert len(error.why.splitlines()) == TAIL + 1
    assert "invoke shell" in error.fix


def test_a_fault_that_others_talked_over_is_shown_too(tmp_path: Path) -> None:
    def work(_: Job, line: Line) -> int:
        line("x.c:1: error: no such thing")
        for number in range(100):
            line(f"[{number}/100] compiling")
        return 137

    with pytest.raises(BuildError) as caught:
        run(tmp_path, work)
    lines = caught.value.why.splitlines()
    assert "memory ran out" in lines[0]
    assert lines[2:4] == ["x.c:1: error: no such thing", "…"]
    assert lines[-1] == "[99/100] compiling"


@pytest.mark.parametrize("words", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_inside_the_container_is_told_as_one(tmp_path: Path, words: str) -> None:
    def work(_: Job, line: Line) -> int:
        line(f"fatal error: error writing to /work/x.o: {words}")
        line("ninja: build stopped")
        return 1

    with pytest.raises(DiskFullError) as caught:
        run(tmp_path, work)
    assert caught.value.exit_code == 13
    assert caught.value.where == str(tmp_path / "run" / "draft")


def test_a_command_that_only_spoke_of_a_full_disk_did_not_fail(tmp_path: Path) -> None:
    def work(job: Job, line: Line) -> int:
        line("test: No space left on device: ok")
        return done(job, line)

    assert run(tmp_path, work)[1].cost.ccache_hits == 3
