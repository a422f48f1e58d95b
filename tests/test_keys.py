"""Golden keys: what goes into every step of a small project, so that a change of keys is reviewed.

The table is `golden_keys.txt`: each step, its key and its inputs. The code that a key knows, and
the versions of this machine's tools, stand in it by name only: it changes when the inputs, the
commands or the environment do. Where that was meant, write it anew:

    WRITE_GOLDEN_KEYS=1 .venv/bin/python -m pytest tests/test_keys.py
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from projects import ask, project_at

import crosspi
from crosspi import digests
from crosspi.graph import Graph
from crosspi.steps import audit, audit_tools
from crosspi.work.plan import Step, closure

CODE = Path(crosspi.__file__).parent
GOLDEN = Path(__file__).parent / "golden_keys.txt"


@pytest.fixture
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code, tools and versions by their names."""
    real = digests.digest_files

    def digest(*paths: Path, without: Collection[Path] = ()) -> str:
        code = [str(path.relative_to(CODE)) for path in paths if path.is_relative_to(CODE)]
        data = [path for path in paths if not path.is_relative_to(CODE)]
        return " ".join([*code, *([real(*data, without=without)] if data else [])])

    for name, module in list(sys.modules.items()):
        if name.startswith("crosspi.") and hasattr(module, "digest_files"):
            monkeypatch.setattr(module, "digest_files", digest)
    monkeypatch.setattr("crosspi.containers.rooms._DIGITS", 200)
    monkeypatch.setattr(audit, "tools", audit_tools.tools.__wrapped__)  # remembers others' versions
    monkeypatch.setattr("crosspi.steps.audit_tools.version", lambda _name: "VERSION")
    monkeypatch.setattr("crosspi.steps.wheel.__version__", "VERSION")


def short(value: str) -> str:
    return re.sub("[0-9a-f]{64}", lambda digest: digest[0][:12], value)


def table(steps: list[Step]) -> str:
    lines = []
    for step in sorted(steps, key=lambda step: step.name):
        lines.append(f"{step.name}  {step.key[:16]}")
        needs = {need.name for need in step.needs}
        lines += [f"    {name}: {short(value)}" for name, value in sorted(step.inputs.items())]
        lines += [f"    ← {name}" for name in sorted(needs)]
    return "\n".join(lines) + "\n"


@pytest.mark.usefixtures("_same_everywhere")
def test_keys_are_the_golden_ones(parts: Path) -> None:
    system = parts / "systems" / "system"
    (system / "smoke.py").write_text("# tests\n")
    with (system / "part.yaml").open("a") as file:
        file.write("smoke: {data: {code: Lib}, folders: {tests: base}}\n")
    project = project_at(parts)
    vars(project)["emulator"] = "VERSION"
    wheels = Graph(project).products(ask(project, "pack", pythons="3.11,3.9"))
    found = table(closure([step for wheel in wheels for step in wheel.goals]))
    if os.environ.get("WRITE_GOLDEN_KEYS"):
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8"), __doc__
