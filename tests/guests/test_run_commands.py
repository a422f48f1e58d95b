"""The program inside build containers, run as one: alone, as a process of its own."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crosspi.guests import run_commands

DRIVER = Path(str(run_commands.__file__))
ELF = b"\x7fELF and more"


@dataclass
class Ended:
    """How a step ended."""

    code: int
    lines: list[str]
    usage: dict[str, Any]


@dataclass
class Driver:
    """Runs commands as a build container does; its programs are those of `bin/` and the host."""

    root: Path

    def __call__(self, *commands: dict[str, Any], **environment: str) -> Ended:
        usage = self.root / "usage.json"
        usage.unlink(missing_ok=True)
        job = self.root / "commands.json"
        job.write_text(json.dumps({"commands": commands, "usage": str(usage)}))
        ended = subprocess.run(
            [sys.executable, "-I", str(DRIVER), str(job)],
            env={"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Ended(ended.returncode, ended.stdout.splitlines(), json.loads(usage.read_text()))

    def program(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def argv(self, *argv: str) -> dict[str, Any]:
        return {"argv": list(argv), "cwd": str(self.root)}


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(tmp_path)


# --- the kinds of commands ------------------------------------------------------------------------


def test_a_program_runs_without_a_shell_in_its_folder(driver: Driver, tmp_path: Path) -> None:
    ended = driver(
        {
            "argv": [sys.executable, "-c", "import os, sys; print(sys.argv[1], os.getcwd())", "$A"],
            "cwd": str(tmp_path),
        }
    )
    assert ended.code == 0
    assert ended.lines[0].startswith(f"+ {sys.executable} -c 'import os, sys;")
    assert ended.lines[1] == f"$A {tmp_path}"


def test_a_programs_environment_is_added_to_the_containers(driver: Driver) -> None:
    command = {**driver.argv("sh", "-c", "echo $A $B"), "environment": {"B": "own"}}
    assert driver(command, A="outer", B="outer").lines[-1] == "outer own"


def test_a_program_runs_in_the_work_folder_unless_told_otherwise(driver: Driver) -> None:
    ended = driver({"argv": ["pwd"]})
    if Path("/work").is_dir():
        assert ended.lines[-1] == "/work"
    else:
        assert "'/work'" in ended.lines[-1]


def test_a_file_is_copied_to_a_name_or_into_a_folder(driver: Driver, tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("x")
    source.chmod(0o555)
    ended = driver(
        {"copy": str(source), "to": str(tmp_path / "a" / "b.txt")},
        {"copy": str(source), "to": f"{tmp_path}/into/"},
    )
    assert (ended.code, ended.lines) == (
        0,
        [f"+ copy {tmp_path}/a/b.txt", f"+ copy {tmp_path}/into/"],
    )
    for copied in (tmp_path / "a" / "b.txt", tmp_path / "into" / "source.txt"):
        assert copied.read_text() == "x"
        assert copied.stat().st_mode & 0o777 == 0o755


def test_a_read_only_folder_becomes_a_writable_copy(driver: Driver, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "file").write_text("x")
    (source / "link").symlink_to("inner/file")
    for path in (source / "inner" / "file", source / "inner", source):
        path.chmod(0o555)
    target = tmp_path / "target"
    target.mkdir()
    (target / "other").touch()
    ended = driver({"copy": str(source), "to": str(target)})
    for path in (source, source / "inner"):
        path.chmod(0o755)
    assert ended.code == 0
    assert sorted(p.name for p in target.iterdir()) == ["inner", "link", "other"]
    assert (target / "link").readlink() == Path("inner/file")
    assert all(p.stat().st_mode & 0o200 for p in (target / "inner", target / "inner" / "file"))


@pytest.mark.parametrize("executable", [False, True])
def test_a_file_is_written(driver: Driver, tmp_path: Path, executable: bool) -> None:
    target = tmp_path / "new" / "file"
    ended = driver({"text": "ä\n", "to": str(target), "executable": executable})
    assert ended.code == 0
    assert target.read_text(encoding="utf-8") == "ä\n"
    assert os.access(target, os.X_OK) is executable


def wheel(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("pack/__init__.py", name)


def unpack(root: Path) -> dict[str, str]:
    return {"unpack": f"{root}/wheels/*.whl", "to": f"{root}/unpacked"}


def test_the_one_wheel_is_unpacked(driver: Driver, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "one.whl")
    (tmp_path / "wheels" / "one.json").touch()
    assert driver(unpack(tmp_path)).code == 0
    assert (tmp_path / "unpacked" / "pack" / "__init__.py").read_text() == "one.whl"


@pytest.mark.parametrize("names", [(), ("one.whl", "two.whl")])
def test_no_wheel_and_two_are_errors(
    driver: Driver, tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        wheel(tmp_path / "wheels", name)
    ended = driver(unpack(tmp_path))
    assert ended.code == 1
    assert ended.lines[-1] == (
        f"FAILED: one wheel expected at {tmp_path}/wheels/*.whl, found {len(names)}"
    )
    assert not (tmp_path / "unpacked").exists()


@pytest.mark.parametrize("damage", ["no zip", "cut off", "one byte"])
def test_a_damaged_wheel_ends_the_step(driver: Driver, tmp_path: Path, damage: str) -> None:
    wheel(tmp_path / "wheels", "one.whl")
    path = tmp_path / "wheels" / "one.whl"
    data = path.read_bytes()
    damaged = {"no zip": b"no zip", "cut off": data[:-10]}
    path.write_bytes(damaged.get(damage, data.replace(b"one.whl", b"two.whl")))
    ended = driver(unpack(tmp_path), {"text": "x", "to": str(tmp_path / "never")})
    assert ended.code == 1
    assert ended.lines[-1].startswith("FAILED: ")
    assert "Traceback" not in "".join(ended.lines)
    assert not (tmp_path / "never").exists()
    assert set(ended.usage) == {"cpu", "ccache_hits", "ccache_misses", "dropped_flags"}


def test_every_elf_file_is_stripped_once(driver: Driver, tmp_path: Path) -> None:
    driver.program("arm-linux-gnueabihf-strip", 'echo "STRIP $*"')
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    for name in ("b.so", "inner/a"):
        (tree / name).write_bytes(ELF)
    (tree / "text").write_text("ELF")
    (tree / "empty").touch()
    (tree / "link.so").symlink_to("b.so")
    ended = driver({"strip": str(tree)})
    assert ended.code == 0
    assert [line for line in ended.lines if line.startswith("STRIP")] == [
        f"STRIP --strip-all --enable-deterministic-archives {tree}/{name}"
        for name in ("b.so", "inner/a")
    ]


# --- failing --------------------------------------------------------------------------------------


def test_the_first_failure_ends_the_step(driver: Driver, tmp_path: Path) -> None:
    ended = driver(driver.argv("sh", "-c", "exit 7"), {"text": "x", "to": str(tmp_path / "never")})
    assert ended.code == 1
    assert ended.lines[-1] == "FAILED with exit code 7: sh -c 'exit 7'"
    assert not (tmp_path / "never").exists()
    assert set(ended.usage) == {"cpu", "ccache_hits", "ccache_misses", "dropped_flags"}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ({"argv": ["no-such-program"], "cwd": "/"}, "no-such-program"),
        ({"argv": ["true"], "cwd": "/no/such/folder"}, "/no/such/folder"),
        ({"copy": "/no/such/file", "to": "TMP/x"}, "/no/such/file"),
        ({"copy": "TMP/bin", "to": "TMP/commands.json"}, "commands.json"),
        ({"text": "x", "to": "TMP/commands.json/x"}, "commands.json"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    driver: Driver, tmp_path: Path, command: dict[str, Any], told: str
) -> None:
    driver.program("any", "")
    text = json.dumps(command).replace("TMP", str(tmp_path))
    ended = driver(json.loads(text))
    assert ended.code == 1
    assert ended.lines[-1].startswith("FAILED: ")
    assert told in ended.lines[-1]
    assert "Traceback" not in "".join(ended.lines)


def test_a_strip_that_fails_ends_the_step(driver: Driver, tmp_path: Path) -> None:
    driver.program("arm-linux-gnueabihf-strip", "exit 1")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "x.so").write_bytes(ELF)
    ended = driver({"strip": str(tmp_path / "tree")})
    assert ended.code == 1
    assert ended.lines[-1].startswith("FAILED with exit code 1: arm-linux-gnueabihf-strip")


def test_output_keeps_its_order(driver: Driver) -> None:
    ended = driver(driver.argv("echo", "one"), driver.argv("echo", "two"))
    assert ended.lines == ["+ echo one", "one", "+ echo two", "two"]


# --- usage ----------------------------------------------------------------------------------------


def test_processor_time_is_that_of_the_programs(driver: Driver) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    ended = driver(driver.argv(sys.executable, "-c", busy))
    assert 0.3 <= ended.usage["cpu"] < 10


def test_ccache_is_counted(driver: Driver, tmp_path: Path) -> None:
    log = tmp_path / "stats"
    log.write_text(
        "# /work/a.c\ncache_miss\ndirect_cache_miss\n"
        "# /work/b.c\ndirect_cache_hit\n"
        "# /work/c.c\npreprocessed_cache_hit\n"
        "# /work/d.c\ndirect_cache_hit\n"
    )
    usage = driver(CCACHE_STATSLOG=str(log)).usage
    assert (usage["ccache_hits"], usage["ccache_misses"]) == (3, 1)


def test_changed_flags_are_counted_even_if_the_step_fails(driver: Driver, tmp_path: Path) -> None:
    write = 'printf "%s\\n" -mtune=x -my -mtune=x >> "$CROSSPI_DROPPED_FLAGS"; exit 1'
    ended = driver(driver.argv("sh", "-c", write), CROSSPI_DROPPED_FLAGS=str(tmp_path / "dropped"))
    assert ended.code == 1
    assert ended.usage["dropped_flags"] == {"-mtune=x": 2, "-my": 1}


def test_nothing_counted_is_nothing(driver: Driver, tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    for usage in (driver().usage, driver(CCACHE_STATSLOG=absent).usage):
        assert usage["ccache_hits"] == usage["ccache_misses"] == 0
        assert usage["dropped_flags"] == {}


def test_it_needs_nothing_but_python() -> None:
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(DRIVER.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [n.name for n in node.names]
        )
    }
    assert "subprocess" in modules
    assert modules <= sys.stdlib_module_names


# --- signs of life --------------------------------------------------------------------------------


def test_what_a_program_prints_comes_at_once_and_in_order(driver: Driver) -> None:
    script = "print('one', flush=True); import os; os.write(2, b'two\\n'); print('three')"
    ended = driver(driver.argv(sys.executable, "-c", script))
    assert ended.lines[-3:] == ["one", "two", "three"]


def test_what_a_program_leaves_running_is_not_waited_for(driver: Driver) -> None:
    """As a compiler's server: it keeps the output open."""
    driver.program("leaves", "sleep 600 & echo $!")
    ended = driver(driver.argv("leaves"))
    assert ended.code == 0
    os.kill(int(ended.lines[-1]), signal.SIGKILL)


def test_a_silent_program_is_spoken_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(run_commands, "SILENCE", 0.0)
    monkeypatch.setattr(run_commands, "TICK", 0.01)
    go_on = tmp_path / "x.cc"
    signs = []

    def sign() -> str:
        signs.append(real())
        go_on.touch()  # now it may end
        return signs[-1]

    real = run_commands.sign_of_life
    monkeypatch.setattr(run_commands, "sign_of_life", sign)
    busy = "import pathlib, sys\nwhile not pathlib.Path(sys.argv[1]).exists(): pass\nprint('end')"
    run_commands.call({"argv": [sys.executable, "-c", busy, str(go_on)], "cwd": str(tmp_path)})
    lines = capfd.readouterr().out.splitlines()
    assert [line for line in lines if line != "end"] == [f"… {sign}" for sign in signs]
    assert lines.count("end") == 1
    assert re.match(r"\d+ s of processor time so far", signs[0])


def test_a_command_is_told_by_its_program_and_its_source() -> None:
    argv = [
        "/opt/zig",
        "clang",
        "-cc1",
        "-o",
        "/x/a.o",
        "-x",
        "c++",
        "/libcxx/src/regex.cpp",
        "",
    ]
    assert run_commands.told(argv) == "zig regex.cpp"
    assert run_commands.told(["/usr/bin/cmake", "-S", "x"]) == "cmake"
    assert run_commands.told([""]) == ""
