"""The guest's part of a trial, on this machine: scripts stand in for ARM programs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from crosspi.guests import trial as guest


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in (("SITE", "site"), ("BIN", "bin"), ("REST", "")):
        monkeypatch.setattr(guest, name, str(tmp_path / "trial" / folder))


def tried(tmp_path: Path, files: dict[str, str], *jobs: str) -> dict[str, tuple[int, str]]:
    wheel = tmp_path / "demo-1.0-py3-none-linux_armv6l.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    out = tmp_path / "trials.json"
    assert guest.main(str(wheel), str(out), jobs) == 0
    return {row["file"]: (row["code"], row["text"]) for row in json.loads(out.read_text())}


def test_programs_are_called_and_modules_imported(tmp_path: Path) -> None:
    script = "demo-1.0.data/scripts/tool"
    files = {
        script: '#!/bin/sh\necho "called with $1"\n',
        "pkg/__init__.py": "",
        "pkg/good.py": "import pkg",
        "pkg/bad.py": "import nobody_has_this",
        "pkg/": "",
    }
    found = tried(tmp_path, files, f"{script}=--version", "pkg/good.py=import", "pkg/bad.py=import")
    assert found[script] == (0, "called with --version\n")
    assert found["pkg/good.py"] == (0, "")
    assert found["pkg/bad.py"][0] == 1
    assert "nobody_has_this" in found["pkg/bad.py"][1]


def test_a_signal_is_told(tmp_path: Path) -> None:
    found = tried(tmp_path, {"tool": "#!/bin/sh\nkill -ILL $$\n"}, "tool=--version")
    assert found["tool"][0] == -4


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    found = tried(tmp_path, {"tool": "\x7fELF nonsense"}, "tool=--version")
    assert found["tool"][0] in (126, 127)


def test_what_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "SECONDS", 0.2)
    found = tried(tmp_path, {"tool": "#!/bin/sh\nexec sleep 600\n"}, "tool=--version")
    assert found["tool"][0] is None


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("m.cpython-311-arm-linux-gnueabihf.so", "m"),
        ("pkg/sub/m.abi3.so", "pkg.sub.m"),
        ("x-1.data/platlib/pkg/m.so", "pkg.m"),
    ],
)
def test_a_modules_name(name: str, module: str) -> None:
    assert guest.dotted(name) == module
