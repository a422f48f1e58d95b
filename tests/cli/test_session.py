"""How a task ends: one message, an exit code, no traceback."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosspi import errors
from crosspi.cli.session import session
from crosspi.errors import CrosspiError

PROJECT = Path(__file__).parents[2]
KINDS = sorted(
    (
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, CrosspiError)
    ),
    key=lambda kind: kind.exit_code,
)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Caches of our own, and signals as they were."""
    monkeypatch.setenv("CROSSPI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CROSSPI_DIST", str(tmp_path / "dist"))
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def end(error: BaseException) -> int:
    """The exit code of a task that ends with an error."""
    with pytest.raises(SystemExit) as caught, session():
        raise error
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_each_error_has_its_exit_code_and_one_message(
    kind: type[CrosspiError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(kind("it broke", where="there", why="rust", fix="paint")) == kind.exit_code
    text = capsys.readouterr().err
    assert text.count("it broke") == 1
    assert text.startswith(f"{kind.title}: it broke")
    assert "paint" in text
    assert "Traceback" not in text


def test_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.startswith("interrupted: Ctrl-C")


def test_sigterm(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, session():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert caught.value.code == 143
    assert "SIGTERM" in capsys.readouterr().err


def test_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(OSError(errno.ENOSPC, "No space left on device", "/full")) == 13
    assert "/full" in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError(errno.EIO, "io"), ValueError("bug")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), session():
        raise error


def test_a_good_end_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with session() as project:
        assert project.paths.project == PROJECT
    assert capsys.readouterr() == ("", "")


def invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--target", "pi33", "--python", "3.11"], 2, "there is no target 'pi33'"),
        (["--target", "pi3", "--python", "3.11", "--jobs", "x"], 2, "--jobs"),
    ],
)
def test_the_whole_program_ends_with_one_message(
    arguments: list[str], code: int, words: str
) -> None:
    done = invoke("build", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_every_task_has_help_and_an_example() -> None:
    listed = invoke("--list").stdout
    import tasks

    for name in ("build", "audit", "smoke", "fetch", "list", "plan", "shell", "doctor", "clean"):
        assert f" {name} " in listed
        task = getattr(tasks, name + "_" if name == "list" else name)
        assert f"invoke {name}" in str(task.__doc__)


def test_what_is_made_can_be_read_by_containers_whatever_the_users_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with session():
            (tmp_path / "file").write_text("x")
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
