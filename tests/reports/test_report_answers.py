"""What `--json` answers: each command's model is the one whose schema is kept."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from crosspi.cli import commands
from crosspi.cli.options import Options
from crosspi.data.record import schema_of, validated
from crosspi.errors import HostError
from crosspi.reports.answers import ANSWERS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("command", ANSWERS)
def test_its_schema_is_kept(command: str) -> None:
    """Write it anew, and give it the next number where a reader would stumble:
    python -c "from crosspi.reports.answers import ANSWERS as a; from crosspi.data.record import
    schema_of as s; [open(f'docs/{n}.schema.json', 'w').write(s(m)) for n, m in a.items()]"
    """
    kept = (DOCS / f"{command}.schema.json").read_text(encoding="utf-8")
    assert kept == schema_of(ANSWERS[command])
    assert json.loads(kept)["properties"]["schema"]["const"] == 1


def answered(capsys: pytest.CaptureFixture[str], command: str) -> dict[str, Any]:
    """What a command printed, which its model must read again."""
    plain: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert validated(ANSWERS[command], plain).plain() == plain
    return plain


def test_the_list_is_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    commands.list_everything(json=True)
    assert "numpy" in answered(capsys, "list")["recipes"]


def test_a_plan_is_read_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this machine has built already is in no plan.
    monkeypatch.setenv("CROSSPI_CACHE", str(tmp_path / "cache"))
    commands.plan(Options(target=["pi3"], recipe=["zlib"], json=True))
    steps = answered(capsys, "plan")["steps"]
    assert "archive:zlib-1.2.13-armv7" in [step["step"] for step in steps]


def test_the_doctor_is_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(HostError):  # a sick machine is told about in the same way
        commands.doctor(json=True)
    assert "Python" in [check["name"] for check in answered(capsys, "doctor")["checks"]]
