"""The doctor: sick machines, each with its remedy."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from crosspi.cli import doctor
from crosspi.console import Console
from crosspi.containers import bootstrap, host

REPO = Path(__file__).parents[2]
LOCK = """\
# made by a tool
docker==7.2.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via crosspi (pyproject.toml)
pywin32==312 ; sys_platform == 'win32' \\
    --hash=sha256:22
types_PyYAML==6.0 ; python_full_version >= '3.11' \\
    --hash=sha256:33
"""
GOOD_BINFMT = (
    "enabled\ninterpreter /usr/libexec/qemu-binfmt/arm-binfmt-P\nflags: PF\noffset 0\nmagic 7f45\n"
)


def test_python() -> None:
    assert doctor.check_python((3, 11, 2)) == doctor.Check("Python", "ok", "3.11.2")
    assert doctor.check_python((3, 9, 2)).verdict == "fail"


def test_lock_lines_with_other_markers_are_left_out() -> None:
    assert doctor.locked_versions(LOCK) == {"docker": "7.2.0", "types-pyyaml": "6.0"}


def test_lock_in_and_out_of_sync() -> None:
    good = doctor.check_lock(LOCK, {"docker": "7.2.0", "types-pyyaml": "6.0", "pip": "1"})
    assert good.verdict == "ok"
    bad = doctor.check_lock(LOCK, {"docker": "7.1.0"})
    assert bad.verdict == "warn" and "./inv" in bad.remedy
    assert bad.state == "docker 7.1.0 (locked: 7.2.0), types-pyyaml missing (locked: 6.0)"


def test_the_projects_own_lock_can_be_read() -> None:
    versions = doctor.locked_versions((REPO / "requirements.lock").read_text())
    assert {"docker", "invoke", "pydantic"} <= set(versions)


def engine(address: str, **other: Any) -> doctor.EngineFacts:
    facts: dict[str, Any] = {"name": "Docker", "version": "20.10", "driver": "overlay2", **other}
    return doctor.EngineFacts(address=address, **facts)


def test_an_engine_that_answers() -> None:
    check = doctor.check_engine(["unix:///a"], engine)
    assert check.verdict == "ok"
    assert check.state == "Docker 20.10 at unix:///a (storage overlay2)"


def test_podman_and_vfs_are_noted() -> None:
    check = doctor.check_engine(["unix:///a"], lambda a: engine(a, name="Podman", driver="vfs"))
    assert check.verdict == "warn" and "Podman" in check.state and "overlay2" in check.remedy


def test_the_second_socket_is_tried() -> None:
    def ask(address: str) -> doctor.EngineFacts:
        if address == "unix:///a":
            raise ConnectionRefusedError(111, "Connection refused")
        return engine(address)

    assert "unix:///b" in doctor.check_engine(["unix:///a", "unix:///b"], ask).state


def test_a_dead_socket() -> None:
    def ask(_: str) -> doctor.EngineFacts:
        raise ConnectionRefusedError(111, "Connection refused")

    check = doctor.check_engine(["unix:///a"], ask)
    assert check.verdict == "fail"
    assert check.state == "unix:///a: connection refused"
    assert "./inv" in check.remedy


def test_no_permission_is_found_however_it_is_wrapped() -> None:
    def ask(_: str) -> doctor.EngineFacts:
        try:
            raise requests.exceptions.ConnectionError(
                "Connection aborted.", PermissionError(13, "Permission denied")
            )
        except requests.exceptions.ConnectionError as error:
            raise RuntimeError(f"Error while fetching server API version: {error}") from error

    check = doctor.check_engine(["unix:///a"], ask)
    assert check.state == "unix:///a: permission denied"
    assert "group docker" in check.remedy and "sudo" in check.remedy


def test_no_socket_at_all() -> None:
    check = doctor.check_engine([])
    assert check.verdict == "fail" and "DOCKER_HOST" in check.remedy


def test_asking_a_socket_nobody_listens_on(tmp_path: Path) -> None:
    check = doctor.check_engine([f"unix://{tmp_path}/no.sock"])
    assert check.verdict == "fail" and "no such file" in check.state


def test_engine_addresses(tmp_path: Path) -> None:
    assert host.engine_addresses({"DOCKER_HOST": "tcp://x:1"}) == ["tcp://x:1"]
    (tmp_path / "podman").mkdir()
    (tmp_path / "podman/podman.sock").touch()
    found = host.engine_addresses({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert f"unix://{tmp_path}/podman/podman.sock" not in found  # rootless


@pytest.mark.parametrize(
    ("info", "maps"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}, True),
        ({"SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}, True),
        ({"SecurityOptions": ["name=seccomp,profile=rootless", "name=apparmor"]}, False),
        ({"SecurityOptions": ["name=seccomp,profile=default"], "Rootless": True}, True),
        ({"SecurityOptions": None, "Rootless": False}, False),
        ({}, False),
    ],
)
def test_a_rootless_engine_cannot_serve(info: dict[str, Any], maps: bool) -> None:
    """Its user 1000 is another one here, and may not write what is mounted."""
    assert host.maps_users(info) == maps
    check = doctor.check_engine(["unix:///a"], lambda a: engine(a, foreign_users=maps))
    assert (check.verdict == "fail") == maps
    assert ("rootless" in check.state and "./inv" in check.remedy) == maps


@pytest.mark.parametrize(("room", "verdict"), [(20, "ok"), (4, "warn"), (1, "fail")])
def test_room_in_the_engines_folder(tmp_path: Path, room: int, verdict: str) -> None:
    def ask(address: str) -> doctor.EngineFacts:
        return engine(address, folder=str(tmp_path))

    check = doctor.check_images_room(["unix:///a"], ask, lambda _: room * 10**9)
    assert check.verdict == verdict and str(tmp_path) in check.state
    assert ("data-root" in check.remedy) == (verdict != "ok")


def test_room_of_an_engine_elsewhere_is_not_ours(tmp_path: Path) -> None:
    def ask(address: str) -> doctor.EngineFacts:
        return engine(address, folder=str(tmp_path))

    assert doctor.check_images_room(["tcp://a:1"], ask, lambda _: 0).verdict == "ok"
    assert doctor.check_images_room([], ask).verdict == "warn"


def test_room_where_the_engine_does_not_answer() -> None:
    def ask(_: str) -> doctor.EngineFacts:
        raise ConnectionRefusedError(111, "Connection refused")

    assert doctor.check_images_room(["unix:///a"], ask).verdict == "warn"


@pytest.mark.parametrize(
    ("text", "verdict", "words"),
    [
        (GOOD_BINFMT, "ok", "flags PF"),
        (GOOD_BINFMT.replace("PF", "OC"), "fail", "without flag F"),
        (GOOD_BINFMT.replace("PF", ""), "fail", "flags: none"),
        (GOOD_BINFMT.replace("enabled", "disabled"), "fail", "disabled"),
        (None, "fail", "not registered"),
    ],
)
def test_binfmt(text: str | None, verdict: str, words: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "qemu-arm").write_text(text)
    check = doctor.check_binfmt(host.arm_binfmt(tmp_path))
    assert check.verdict == verdict and words in check.state
    assert bool(check.remedy) == (verdict != "ok")


def qemu(version: str = "7.2.22 (Debian)", cpus: str = "  arm1176\n  cortex-a7\n") -> Any:
    return lambda _program, *arguments: (
        f"qemu-arm version {version}\n" if arguments == ("--version",) else f"CPUs:\n{cpus}"
    )


@pytest.mark.parametrize(
    ("run", "verdict", "words"),
    [
        (qemu(), "ok", "knows arm1176, cortex-a7"),
        (qemu(version="10.0.13"), "ok", "10.0"),
        (qemu(version="10.1.2"), "warn", "untried"),
        (qemu(cpus="  arm1176\n"), "fail", "does not know cortex-a7"),
        (qemu(version="x"), "warn", "?"),
    ],
)
def test_qemu(run: Any, verdict: str, words: str) -> None:
    check = doctor.check_qemu("/usr/bin/qemu-arm-static", ["arm1176", "cortex-a7"], run)
    assert check.verdict == verdict and words in check.state


def test_no_qemu_or_one_that_does_not_run() -> None:
    assert doctor.check_qemu(None, []).verdict == "fail"

    def run(*_: str) -> str:
        raise subprocess.TimeoutExpired("qemu", 20)

    assert doctor.check_qemu("/x", [], run).verdict == "fail"


def test_the_emulator_is_the_one_the_kernel_starts(tmp_path: Path) -> None:
    real = tmp_path / "qemu-arm"
    real.touch()
    (tmp_path / "arm-binfmt-P").symlink_to(real)
    entry = host.BinfmtEntry(True, str(tmp_path / "arm-binfmt-P"), "PF")
    assert doctor.find_qemu(entry) == (str(real), doctor.run_qemu)


def test_an_emulator_that_somebody_else_registered_is_asked_through_the_kernel(
    tmp_path: Path,
) -> None:
    """Seen: flag F, and no qemu on disk; `./inv` had nothing to do, and doctor failed for ever."""
    program = tmp_path / "armhf"
    program.write_text('#!/bin/sh\necho "${QEMU_VERSION:+qemu-arm version 7.2.9}" "$QEMU_CPU"\n')
    program.chmod(0o755)
    entry = host.BinfmtEntry(True, "/gone/with/its/container/qemu-arm", "POCF")
    found, run = doctor.find_qemu(entry, [tmp_path / "nowhere", program])
    assert found == str(program)
    assert "7.2.9" in run(found, "--version")
    assert run(found, "-cpu", "help").split() == ["help"]
    assert doctor.check_qemu(found, ["help"], run).verdict == "ok"


def test_whether_arm_programs_run() -> None:
    assert doctor.check_arm("").verdict == "ok"
    assert doctor.check_arm("arch-test says: armhf: not supported").verdict == "fail"
    assert doctor.check_arm(bootstrap.NO_ARCH_TEST).verdict == "warn"


def test_folders_for_temporary_files() -> None:
    faults = {"/a": "/a is mounted noexec", "/b": ""}
    folders = [Path("/a"), Path("/b")]
    check = doctor.check_scratch(folders, lambda folder: faults[str(folder)])
    assert check.verdict == "ok" and "noexec" in check.state
    check = doctor.check_scratch(folders[:1], lambda folder: faults[str(folder)])
    assert check.verdict == "warn" and "TMPDIR" in check.remedy


def test_machine() -> None:
    assert doctor.check_machine("Linux", "x86_64").verdict == "ok"
    assert doctor.check_machine("Linux", "riscv64").verdict == "fail"


@pytest.mark.parametrize(("free", "verdict"), [(20, "ok"), (10, "warn"), (2, "fail")])
def test_disk(free: int, verdict: str) -> None:
    assert doctor.check_disk(Path("/c"), free * 10**9).verdict == verdict


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert doctor.free_space(tmp_path / "a/b") > 0


def test_sources(tmp_path: Path) -> None:
    assert doctor.check_sources(None).verdict == "ok"
    assert doctor.check_sources(str(tmp_path)).verdict == "ok"
    assert doctor.check_sources(str(tmp_path / "no")).verdict == "fail"


def test_the_rest() -> None:
    assert doctor.check_mmdebstrap(None).verdict == "warn"
    assert doctor.check_mmdebstrap("/usr/bin/mmdebstrap").verdict == "ok"
    check = doctor.check_mmdebstrap("/usr/bin/mmdebstrap", "newuidmap is not installed")
    assert check.verdict == "warn" and "newuidmap" in check.state and "./inv" in check.remedy
    check = doctor.check_mmdebstrap("/usr/bin/mmdebstrap", "the kernel lets no user")
    assert "sysctl" in check.remedy and "./inv" not in check.remedy
    assert doctor.check_docker_program(None).verdict == "warn"
    assert doctor.check_docker_program("/usr/bin/docker").verdict == "ok"
    assert doctor.check_memory(2 * 10**9).verdict == "warn"
    assert doctor.check_memory(8 * 10**9).verdict == "ok"


def test_this_machine_as_table_and_json(tmp_path: Path) -> None:
    found = doctor.checks(
        cpus=["arm1176"],
        cache=tmp_path,
        lock=REPO / "requirements.lock",
        environ={"DOCKER_HOST": f"unix://{tmp_path}/no.sock"},
    )
    assert not doctor.healthy(found)
    assert [check.name for check in doctor.answer(found).checks] == [c.name for c in found]
    stream = io.StringIO()
    doctor.render(found, Console(terminal=False, stream=stream))
    for check in found:
        assert check.name in stream.getvalue() and check.remedy in stream.getvalue()
