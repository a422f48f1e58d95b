"""The tasks about an index: publish, verify, yank, unyank."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from making import a_manifest, tiny_wheel

from crosspi.cli import publishing
from crosspi.data.record import validated
from crosspi.errors import SourceError, StoreError, UsageError
from crosspi.files import write_text
from crosspi.index.manifest import manifest_of
from crosspi.index.publishing import write_pages
from crosspi.reports.answers import ANSWERS

WHEEL = "tiny-1.0-py3-none-any.whl"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that a machine published one wheel into; CROSSPI_DIST is another, empty one."""
    monkeypatch.setenv("CROSSPI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CROSSPI_DIST", str(tmp_path / "dist"))
    wheel = tiny_wheel(tmp_path / "machine")
    write_text(manifest_of(wheel), a_manifest(wheel).to_json())
    write_pages(wheel.parent)
    return wheel.parent


def failing(task: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and the message of a task that ends badly."""
    with pytest.raises(SystemExit) as ended:
        task()
    return int(str(ended.value.code)), capsys.readouterr().err


def test_from_a_machine_to_a_yank(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publishing.publish([str(machine)], "", json=True)
    told = json.loads(capsys.readouterr().out)
    assert validated(ANSWERS["publish"], told).plain() == told
    assert told["new"] == [WHEEL]
    publishing.verify("", json=True)
    told = json.loads(capsys.readouterr().out)
    assert validated(ANSWERS["verify"], told).plain() == told
    assert (told["files"], told["faults"]) == (1, [])
    publishing.yank("tiny==1.0", "wrong")
    assert f"{WHEEL}  yanked" in capsys.readouterr().out
    publishing.yank(WHEEL, "wrong")
    assert "yanked already" in capsys.readouterr().out
    publishing.unyank(WHEEL)
    assert "no longer yanked" in capsys.readouterr().out
    publishing.verify("", json=False)


@pytest.mark.parametrize(
    ("task", "code", "said"),
    [
        (lambda: publishing.publish([], "", json=False), UsageError, "what is to be published?"),
        (lambda: publishing.publish(["/nowhere"], "", json=False), UsageError, "no folder"),
        (lambda: publishing.verify("/nowhere", json=False), UsageError, "there is no folder"),
        (lambda: publishing.verify("http://127.0.0.1:9", json=False), SourceError, "no index"),
        (lambda: publishing.yank(WHEEL, " "), UsageError, "why is it yanked?"),
        (lambda: publishing.yank(WHEEL, "wrong"), UsageError, "there is no index"),
        (lambda: publishing.unyank(WHEEL), UsageError, "there is no index"),
    ],
)
@pytest.mark.usefixtures("machine")
def test_a_mistake_is_told(
    task: Callable[[], None],
    code: type[UsageError],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended, message = failing(task, capsys)
    assert ended == code.exit_code
    assert said in message


def test_an_index_that_is_not_whole(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "simple" / "index.html").write_text("<a>")
    code, message = failing(lambda: publishing.verify(str(machine), json=False), capsys)
    assert code == StoreError.exit_code
    assert "the index is not whole: 1 fault\n" in message
    assert "simple/index.html: the page is not the one of what is published" in message
