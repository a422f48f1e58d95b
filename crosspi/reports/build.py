"""What a build ends with: the table of steps, the wheels, and how to install them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from crosspi.console import Console, duration, size
from crosspi.index.numbers import is_archive
from crosspi.reports.answers import BuildAnswer, ErrorAnswer, StepAnswer
from crosspi.run import Result
from crosspi.work.plan import SOURCE, Outcome

COLUMNS = ("step", "state", "wall", "CPU", "ccache", "size")


def show(console: Console, result: Result, dist: Path) -> None:
    """Show a build's table, its wheels, and how to install them."""
    rows = [_row(outcome) for outcome in result.outcomes if outcome.step.kind != SOURCE]
    fetched = [o for o in result.outcomes if o.step.kind == SOURCE]
    if fetched:
        wall = sum(outcome.cost.wall for outcome in fetched)
        rows.insert(0, (f"source ({len(fetched)})", "fetched", duration(wall), "", "", ""))
    console.table("steps", COLUMNS, rows)
    for file in result.published:
        console.line(f"{file}  {size(file.stat().st_size)}")
    wheels = [file for file in result.published if not is_archive(file.name)]
    if wheels:
        index = (dist / "simple").as_uri()
        names = " ".join(sorted({wheel.name.split("-")[0] for wheel in wheels}))
        console.line(f"install:  pip install --extra-index-url {index} {names}")


def answer(result: Result) -> BuildAnswer:
    """The same, for programs."""
    return BuildAnswer(
        steps=[
            StepAnswer(
                step=outcome.step.name,
                state=str(outcome.state),
                size=outcome.size,
                log=str(outcome.log) if outcome.log else None,
                **asdict(outcome.cost),
            )
            for outcome in result.outcomes
        ],
        wheels=[str(path) for path in result.published if not is_archive(path.name)],
        archives=[str(path) for path in result.published if is_archive(path.name)],
        errors=[ErrorAnswer.of(error) for error in result.errors],
    )


def _row(outcome: Outcome) -> Sequence[str]:
    cost = outcome.cost
    calls = cost.ccache_hits + cost.ccache_misses
    return (
        outcome.step.name,
        str(outcome.state),
        duration(cost.wall) if cost.wall else "",
        duration(cost.cpu) if cost.cpu else "",
        f"{cost.ccache_hits}/{calls}" if calls else "",
        size(outcome.size) if outcome.size else "",
    )
