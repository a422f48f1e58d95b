"""The smoke test of programs, run by the harness as on a board."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crosspi import guests

GUESTS = Path(guests.__file__).parent
SCRIPTS = {
    "good": "echo hello; test -d $1",
    "bad": "echo it is wrong; exit 3",
    "killed": "kill -ILL $$",
}


@pytest.fixture
def results(tmp_path: Path) -> dict[str, dict[str, str]]:
    """The results of three programs, by test."""
    data = tmp_path / "data"
    (data / "programs").mkdir(parents=True)
    (data / "models").mkdir()
    for name, script in SCRIPTS.items():
        (data / "programs" / name).write_text(f"#!/bin/sh\n{script}\n")
        (data / "programs" / name).chmod(0o755)
    text = (GUESTS / "programs.py").read_text().replace('"/data', f'"{data}')
    script = tmp_path / "programs.py"
    script.write_text(text.replace('"/recipe"', f'"{tmp_path}"'))
    out = tmp_path / "results.json"
    command = [sys.executable, str(GUESTS / "harness.py"), str(script), "--out", str(out)]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 1
    return {test["name"]: test for test in json.loads(out.read_text())["tests"]}


def test_a_program_is_a_test(results: dict[str, dict[str, str]]) -> None:
    assert set(results) == {"(import)", "test_good", "test_bad", "test_killed"}
    assert results["test_good"]["outcome"] == "passed"
    assert results["test_bad"]["outcome"] == "failed"
    assert results["test_bad"]["message"] == "it ended with 3: it is wrong"
    assert results["test_killed"]["message"].startswith("SIGILL ended it")
