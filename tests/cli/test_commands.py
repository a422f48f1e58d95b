"""What the tasks do, as far as it needs no engine."""

from __future__ import annotations

import inspect
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from making import a_manifest, host_path, tiny_wheel
from projects import Board, ask, project_at

from crosspi import caches
from crosspi.audit import Law, Report
from crosspi.audit.findings import Certainty, Finding, finding
from crosspi.cli import commands
from crosspi.cli.options import Options
from crosspi.cli.session import session
from crosspi.containers.engine import Engine
from crosspi.containers.job import Job
from crosspi.errors import SmokeError
from crosspi.index.publishing import listing, manifest_of
from crosspi.project import Project
from crosspi.run import build

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Caches of our own, no engine, and signals as they were."""

    def connect() -> Engine:
        raise AssertionError("a unit test asks for the engine")

    monkeypatch.setenv("CROSSPI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CROSSPI_DIST", str(tmp_path / "dist"))
    monkeypatch.setattr(Engine, "connect", connect)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def ends(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(call: Callable[..., None], *arguments: Any, **options: Any) -> tuple[int, str]:
        with pytest.raises(SystemExit) as caught:
            call(*arguments, **options)
        assert isinstance(caught.value.code, int)
        return caught.value.code, capsys.readouterr().err

    return run


Ends = Callable[..., tuple[int, str]]


@pytest.mark.parametrize(
    ("target", "python", "recipe", "options", "words"),
    [
        ("pi33", "3.11", "", {}, "did you mean pi3"),
        ("pi5", "3.11", "", {}, "--target pi3"),
        ("pi3", "3", "", {}, "name the minor version too"),
        ("pi3", "3.11.2", "", {}, "--python 3.11"),
        ("pi3", "pypy", "", {}, "CPython"),
        ("pi3", "3.11", "nunpy", {}, "did you mean numpy?"),
        ("", "3.11", "", {}, "for which board?"),
        ("pi3", "", "", {}, "for which Python?"),
        ("pi3", "3.11", "", {"level": "ful"}, "no smoke level 'ful'"),
        ("pi3", "3.11", "", {"jobs": "x"}, "--jobs"),
        ("pi3", "3.11", "", {"jobs": "0"}, "--jobs"),
        ("pi3", "3.11", "", {"jobs": "-3"}, "--jobs"),
    ],
)
def test_a_build_that_is_not_understood(
    ends: Ends, target: str, python: str, recipe: str, options: dict[str, Any], words: str
) -> None:
    arguments = [[word] if word else [] for word in (target, python, recipe)]
    code, text = ends(commands.build, Options(*arguments, **options))
    assert code == 2
    assert words in text


def test_a_file_that_is_not_there_is_not_audited(ends: Ends, tmp_path: Path) -> None:
    code, text = ends(commands.audit, str(tmp_path / "absent.whl"), "", json=False)
    assert code == 14
    assert "there is no such file" in text


def test_a_file_that_is_no_wheel_is_not_audited(ends: Ends, tmp_path: Path) -> None:
    path = tmp_path / "x-1-cp311-cp311-linux_armv7l.whl"
    path.write_text("no zip")
    code, text = ends(commands.audit, str(path), "", json=False)
    assert code == 14
    assert "not a wheel" in text


@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "cp311-cp311-win32"])
def test_a_platform_that_is_none_of_ours(ends: Ends, tmp_path: Path, tag: str) -> None:
    code, text = ends(commands.audit, str(tiny_wheel(tmp_path, tag=tag)), "", json=False)
    assert code == 2
    assert f"its platform tag is {tag.rsplit('-', 1)[1]}" in text
    assert "--target" in text and "|pi2|pi3" in text


def test_a_target_that_is_unknown_to_the_audit(ends: Ends, tmp_path: Path) -> None:
    code, _ = ends(commands.audit, str(tiny_wheel(tmp_path)), "pi9", json=False)
    assert code == 2


def test_a_wheel_that_breaks_the_law_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_wheel(tmp_path, tag="cp311-cp311-linux_armv7l")
    path = path.rename(tmp_path / path.name.replace("cp311", "cp312"))
    with pytest.raises(SystemExit) as caught:
        commands.audit(str(path), "", json=True)
    assert caught.value.code == 9
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ok"] is False
    assert "breaks the law of armv7" in captured.err


def found_by_audits(monkeypatch: pytest.MonkeyPatch, item: Finding) -> list[Any]:
    """Audits find that; what they were given to remember with."""
    given: list[Any] = []

    def audit(path: Path, law: Law, *_: Any, memory: Any, **__: Any) -> Report:
        given.append(memory)
        return Report(path.name, law.name, "", (), (item,))

    monkeypatch.setattr("crosspi.audit.verdict.audit_wheel", audit)
    return given


@pytest.mark.parametrize(
    ("certainty", "words"),
    [
        ("certain", "breaks the law of armv7"),
        ("unproven", "nobody can tell from tiny-1.0-py3-none-any.whl alone whether it keeps the"),
    ],
)
def test_what_is_not_decidable_is_not_said_to_break_the_law(
    tmp_path: Path,
    ends: Ends,
    monkeypatch: pytest.MonkeyPatch,
    certainty: Certainty,
    words: str,
) -> None:
    found_by_audits(monkeypatch, finding("isa-crypto", "m.so", "it holds", certainty=certainty))
    code, text = ends(commands.audit, str(tiny_wheel(tmp_path)), "pi3", json=False)
    assert code == 9
    assert words in text
    assert ("breaks the law" in text) == (certainty == "certain")


def test_the_audit_remembers_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = found_by_audits(monkeypatch, finding("pure-python", "x", "y", severity="note"))
    commands.audit(str(tiny_wheel(tmp_path)), "pi3", json=True)
    (memory,) = given
    assert memory.folder == tmp_path / "cache" / "audits"


def test_a_pure_wheel_passes_the_audit_of_a_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.audit(str(tiny_wheel(tmp_path)), "pi3", json=True)
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    commands.list_everything(json=True)
    data = json.loads(capsys.readouterr().out)
    assert "pi3" in data["targets"]["armv7"]
    assert "3.11" in data["pythons"]
    assert set(data["recipes"]) >= {"numpy", "tflite-runtime"}
    assert data["wheels"] == []


def test_the_list_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    commands.list_everything(json=False)
    text = capsys.readouterr().out
    assert all(word in text for word in ("pi3", "cp311", "numpy", "wheel tag"))


def test_the_list_says_what_is_not_in_the_index(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    dist = tmp_path / "dist"
    good = tiny_wheel(dist)
    record = a_manifest(good, withdrawn="its smoke test fails")
    manifest_of(good).write_text(record.to_json())
    tiny_wheel(dist, "dropped-here")
    commands.list_everything(json=False)
    text = " ".join(capsys.readouterr().out.split())
    assert "withdrawn: its smoke test fails" in text
    assert "not listed" in text


def test_a_file_with_other_bytes_is_not_called_proven(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also where its size is that of its manifest."""
    wheel = tiny_wheel(tmp_path / "dist")
    manifest_of(wheel).write_text(a_manifest(wheel).to_json())
    for proven in (True, False):
        commands.list_everything(json=False)
        rows = capsys.readouterr().out.splitlines()
        (row,) = [row for row in rows if wheel.name in row]
        assert row.split()[-1] == ("toy1" if proven else "B"), row
        data = bytearray(wheel.read_bytes())
        data[-1] ^= 1
        wheel.write_bytes(data)


def test_a_smoke_test_that_fails_again_withdraws_the_wheel(
    checkout: Path, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Board):
        def smoke(self, job: Job) -> int:
            code = super().smoke(job)
            results = host_path(job, "/out") / "results.json"
            results.write_text(results.read_text().replace("passed", "failed"))
            return code

    project = project_at(checkout)
    build(project, ask(project, "pack"))
    again = project_at(checkout, Failing())

    @contextmanager
    def session(**_: Any) -> Iterator[Project]:
        try:
            yield again
        except SmokeError as error:
            sys.stderr.write(str(error))
            sys.exit(error.exit_code)

    monkeypatch.setattr(commands, "session", session)
    code, text = ends(commands.smoke, Options(["toy1"], ["3.11"], ["pack"]))
    assert code == 10
    assert "1 of 1 smoke tests failed" in text
    (gone,) = listing(project.paths.dist).withdrawn
    assert gone.name.startswith("pack-1.0")
    assert (project.paths.dist / "simple" / "other" / "index.html").is_file()


def test_what_was_last_proven_comes_from_the_records(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    records = [
        a_manifest(wheel, recipe="numpy", proven="2026-01-01T10:00:00+00:00"),
        a_manifest(wheel, recipe="numpy", proven="2026-01-02T10:00:00+00:00"),
        a_manifest(wheel, proven="2026-01-02T11:00:00+00:00"),
        a_manifest(wheel, proven="2026-01-09T11:00:00+00:00", python="3.9"),
    ]
    assert commands.last_proven("3.11", "toy", records) == {
        "numpy": "2026-01-02T10:00:00+00:00",
        "pack": "2026-01-02T11:00:00+00:00",
    }
    assert commands.last_proven("3.11", "armv6", records) == {}


def test_a_wheel_says_on_which_boards_it_was_proven(tmp_path: Path) -> None:
    assert commands.proven_on(a_manifest(tiny_wheel(tmp_path))) == ["toy1"]


@pytest.mark.parametrize("cache", ["store", "audits", "logs"])
def test_cleaning_only_says_what_would_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cache: str
) -> None:
    kept = tmp_path / "cache" / cache / "x"
    caches.make_cache(kept.parent)
    kept.write_text("x")
    commands.clean(everything=False, yes=False)
    assert kept.exists()
    assert "say --yes" in capsys.readouterr().out
    commands.clean(everything=False, yes=True)
    assert not kept.exists()


def test_cleaning_leaves_wheels_and_sources(tmp_path: Path) -> None:
    kept = [tmp_path / "dist" / "x.whl", tmp_path / "cache" / "sources" / "x"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("x")
    commands.clean(everything=False, yes=True)
    assert all(path.exists() for path in kept)


@pytest.mark.parametrize("tag", [None, "Signature: 8a477f597d28d172789f06886806bc55\n# by another"])
def test_cleaning_touches_no_folder_of_somebody_else(
    tmp_path: Path, ends: Ends, tag: str | None
) -> None:
    """CROSSPI_CACHE=/srv, and there was a /srv/store."""
    theirs = tmp_path / "cache" / "store" / "x"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("x")
    if tag:
        (theirs.parent / caches.TAG).write_text(tag)
    ours = tmp_path / "cache" / "logs" / "x"
    caches.make_cache(ours.parent)
    ours.write_text("x")
    code, text = ends(commands.clean, everything=False, yes=True)
    assert code == 2
    assert f"rm -r {theirs.parent}" in text
    assert str(ours.parent) not in text.split("usage error")[1]
    assert theirs.exists()
    assert ours.exists()


def test_cleaning_removes_nothing_while_a_build_runs(tmp_path: Path, ends: Ends) -> None:
    kept = tmp_path / "cache" / "store" / "x"
    caches.make_cache(kept.parent)
    kept.write_text("x")
    with session(works=True):
        code, text = ends(commands.clean, everything=False, yes=True)
    assert code == 12
    assert "another crosspi works with this cache" in text
    assert kept.exists()
    commands.clean(everything=False, yes=True)
    assert not kept.exists()


@pytest.mark.parametrize("name", ["build", "matrix", "smoke", "fetch", "shell"])
def test_what_works_with_the_cache_holds_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def session(**options: bool) -> NoReturn:
        asked.append(options.get("works"))
        raise ZeroDivisionError

    monkeypatch.setattr(commands, "session", session)
    function = getattr(commands, name)
    values_of = {"bool": False, "Options": Options()}
    values: dict[str, Any] = {
        key: values_of.get(kind.annotation, "")
        for key, kind in inspect.signature(function).parameters.items()
    }
    with pytest.raises(ZeroDivisionError):
        function(**values)
    assert asked == [True]


def test_a_shell_needs_a_board(ends: Ends) -> None:
    code, text = ends(commands.shell, "", "", "")
    assert code == 2
    assert "for which board?" in text


def test_an_unknown_recipe_is_not_fetched(ends: Ends) -> None:
    code, text = ends(commands.fetch, ["nunpy"], offline=True)
    assert code == 2
    assert "did you mean numpy?" in text
