"""Plain Debian roots: what mmdebstrap is given, whose fault its failures are."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from crosspi.containers import bootstrap
from crosspi.containers.bootstrap import cannot_make_roots, cannot_run, lacks, scratch_folder
from crosspi.containers.mirrors import Mirrors
from crosspi.errors import BuildError, CrosspiError, DiskFullError, HostError

REPO = Path(__file__).parents[2]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of our own, in which all is well."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    program(folder, "arch-test", "exit 0")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def make(tmp_path: Path, architecture: str = "armhf") -> Path:
    archive = tmp_path / "root.tar"
    log = tmp_path / "log"
    bootstrap.bootstrap("bookworm", architecture, archive, log=log, line=lambda _: None)
    return archive


def test_debians_mirror_is_named_and_programs_run_where_they_may(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "machine_mirrors", lambda: Mirrors("http://a.example/debian"))
    program(programs, "mmdebstrap", 'echo "$5 in $TMPDIR" >"$4"')
    archive = make(tmp_path)
    assert archive.read_text() == f"deb http://a.example/debian bookworm main in {tmp_path}\n"


#: What mmdebstrap or arch-test says, and the kind of error that it is.
FAILURES: dict[str, tuple[str, str, type[CrosspiError]]] = {
    "the mirror does not answer": ("E: Unable to connect", "exit 0", BuildError),
    "no emulation": (
        "E: armhf can neither be executed natively nor via qemu",
        "echo armhf: not supported on this machine/kernel; exit 1",
        HostError,
    ),
    "no space": ("tar: x: Cannot write: No space left on device", "exit 0", DiskFullError),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_mmdebstraps_own_words(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # who may make roots has a test of its own
    said, arch_test, kind = FAILURES[name]
    program(programs, "mmdebstrap", f"echo I: going on; echo '{said}'; exit 3")
    program(programs, "arch-test", arch_test)
    with pytest.raises(kind) as caught:
        make(tmp_path)
    assert type(caught.value) is kind
    if kind is not DiskFullError:
        assert said in caught.value.why and str(tmp_path / "log") in caught.value.fix
    assert said in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("programs")
def test_without_mmdebstrap(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="mmdebstrap is not installed"):
        make(tmp_path)


def test_what_cannot_be_run_is_told_as_arch_test_tells_it(programs: Path) -> None:
    assert cannot_run("armhf") == ""
    program(programs, "arch-test", 'echo "$1: not supported"; exit 1')
    assert cannot_run("armhf") == "arch-test says: armhf: not supported"
    (programs / "arch-test").unlink()
    assert cannot_run("armhf") == bootstrap.NO_ARCH_TEST


def test_who_may_make_roots(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert cannot_make_roots() == ""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(bootstrap, "user_name", lambda: "me")
    ids = tmp_path / "subuid"
    assert "newuidmap" in cannot_make_roots([ids])
    for name in ("newuidmap", "newgidmap", "unshare"):
        program(programs, name, "exit 0")
    assert cannot_make_roots([ids]) == f"{ids} has no line for me"
    ids.write_text("other:100000:65536\n")
    assert cannot_make_roots([ids]) == f"{ids} has no line for me"
    ids.write_text("me:100000:65536\n")
    assert cannot_make_roots([ids]) == ""
    program(programs, "unshare", "exit 1")
    assert "the kernel lets" in cannot_make_roots([ids])


def test_a_folder_that_lacks_something_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = {tmp_path / "a": "a is mounted noexec", tmp_path / "b": ""}
    monkeypatch.setattr(bootstrap, "lacks", faults.__getitem__)
    assert scratch_folder(faults) == tmp_path / "b"
    faults[tmp_path / "b"] = "b has 3 MB left"
    with pytest.raises(HostError) as caught:
        scratch_folder(faults)
    assert caught.value.why == "a is mounted noexec\nb has 3 MB left"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize(
    ("options", "words"), [("noexec,size=2g", "mounted noexec"), ("size=9m", "9 MB left")]
)
def test_a_file_system_that_will_not_do(tmp_path: Path, options: str, words: str) -> None:
    """In a mount namespace of its own."""
    asked = f"from crosspi.containers.bootstrap import *; print(lacks(Path({str(tmp_path)!r})))"
    mounting = 'mount -t tmpfs -o "$1" x "$2" && exec "$3" -c "$4"'
    done = subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c"),
            mounting,
            "sh",
            options,
            tmp_path,
            sys.executable,
            asked,
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
    )
    if "permission denied" in done.stderr:
        pytest.skip("this container may not mount")
    assert words in done.stdout, done.stderr


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in lacks(tmp_path / "no")
    assert lacks(tmp_path) == "" or "MB left" in lacks(tmp_path)
