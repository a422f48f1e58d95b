"""What runs ARM programs here: asked once, in its own words."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from crosspi.containers import emulator
from crosspi.containers.emulator import emulator_version


def asked(monkeypatch: pytest.MonkeyPatch, program: str | None, ask: Callable[..., str]) -> str:
    monkeypatch.setattr(emulator, "find_qemu", lambda _entry: (program, ask))
    return emulator_version()


def test_an_emulator_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "qemu-arm version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright"
    found = asked(monkeypatch, "/usr/bin/qemu-arm", lambda *_: said)
    assert found == "qemu-arm version 7.2.22 (Debian 1:7.2+dfsg-7)"
    assert asked(monkeypatch, "/usr/bin/qemu-arm", lambda *_: "") == "nameless"


def test_without_an_emulator_nothing_is_wrong_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan, and a build that tests nothing, need none."""

    def fails(*_: str) -> str:
        raise subprocess.TimeoutExpired("qemu-arm", 20)

    assert asked(monkeypatch, None, fails) == "no qemu on this machine"
    assert "timed out" in asked(monkeypatch, "/usr/bin/qemu-arm", fails)
