"""What a build ends with."""

from __future__ import annotations

import io
from pathlib import Path

from making import make_step, quiet, tiny_wheel

from crosspi.errors import BuildError
from crosspi.reports.build import answer, show
from crosspi.run import Result
from crosspi.work.plan import Outcome, State
from crosspi.work.store import Cost


def result(folder: Path) -> Result:
    steps = {name: make_step(name, "x") for name in ("source", "compile", "wheel", "audit")}
    second = make_step("source", "y")
    return Result(
        outcomes=[
            Outcome(steps["source"], State.BUILT, Cost(wall=2.0)),
            Outcome(second, State.BUILT, Cost(wall=3.0)),
            Outcome(steps["compile"], State.BUILT, Cost(125.0, 250.0, 3, 1), size=2_000_000),
            Outcome(steps["wheel"], State.STORED, log=Path("/log")),
            Outcome(steps["audit"], State.FAILED, error=BuildError("no")),
        ],
        published=[tiny_wheel(folder, "my-tiny")],
        errors=[BuildError("no")],
    )


def shown(folder: Path) -> str:
    stream = io.StringIO()
    show(quiet(stream), result(folder), folder)
    return stream.getvalue()


def test_the_table_names_steps_states_and_costs(tmp_path: Path) -> None:
    (line,) = [part for part in shown(tmp_path).splitlines() if "compile:x" in part]
    assert "built" in line
    assert "3/4" in line
    assert len(line.split()) >= 6
    assert "from the store" in shown(tmp_path)
    assert "failed" in shown(tmp_path)


def test_sources_share_a_line(tmp_path: Path) -> None:
    lines = [part for part in shown(tmp_path).splitlines() if "source (" in part]
    assert len(lines) == 1
    assert "source (2)" in lines[0]
    assert "source:" not in shown(tmp_path)


def test_the_end_says_how_to_install(tmp_path: Path) -> None:
    text = shown(tmp_path)
    index = (tmp_path / "simple").as_uri()
    assert f"pip install --extra-index-url {index} my_tiny" in text
    assert str(tmp_path / "my_tiny-1.0-py3-none-any.whl") in text


def test_nothing_published_nothing_to_install(tmp_path: Path) -> None:
    stream = io.StringIO()
    show(quiet(stream), Result(outcomes=[], published=[], errors=[]), tmp_path)
    assert "pip install" not in stream.getvalue()


def test_the_same_for_programs(tmp_path: Path) -> None:
    data = answer(result(tmp_path)).plain()
    steps = data["steps"]
    assert isinstance(steps, list)
    assert steps[2]["step"] == "compile:x"
    assert (steps[2]["wall"], steps[2]["ccache_hits"]) == (125.0, 3)
    assert steps[3]["log"] == "/log"
    assert data["wheels"] == [str(tmp_path / "my_tiny-1.0-py3-none-any.whl")]
    assert data["errors"] == [{"kind": "BuildError", "exit_code": 8, "message": "build failed: no"}]
