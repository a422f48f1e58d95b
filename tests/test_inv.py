"""The bootstrap script, on machines that lack this or that.

Each test runs a copy of it in a small checkout whose PATH holds fakes only: what would change the
machine (apt-get, dockerd, mount, sudo …) writes its arguments to a file instead.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crosspi.cli.doctor import locked_versions

REPO = Path(__file__).parents[1]
REAL = "bash readlink dirname sha256sum flock tail sed wc mkdir rm cat chmod grep sleep id sh env"
BINFMT = "enabled\ninterpreter /usr/bin/qemu-arm-static\nflags: PF\n"
CHANGES = ("apt-get", "dockerd", "setsid", "mount", "systemctl", "sudo", "usermod", "python3 -m")


#: In the place of crosspi: says what it was given.
PROGRAM = """
import os, sys
given = "".join(f"[{argument}]" for argument in sys.argv[1:])
print(given, "in", os.getcwd(), "with", os.environ.get("DOCKER_HOST", ""))
sys.exit(int(os.environ["CODE"]))
"""


class Machine:
    """A checkout, a PATH of its own, a socket where an engine may answer, a fake binfmt_misc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "check out"
        self.bin = folder / "bin"
        self.binfmt = folder / "binfmt"
        self.socket = folder / "docker.sock"
        self.said = folder / "said"
        self.environ: dict[str, str] = {}
        for path in (self.checkout, self.bin, self.binfmt):
            path.mkdir()
        for name in REAL.split():
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)
        self.fake("uname", "echo Linux x86_64")
        for name in ("mmdebstrap", "arch-test", "newuidmap", "docker"):
            self.fake(name)
        self.fake("python3", f'exec {sys.executable} "$@"')
        for name in ("subuid", "subgid"):
            (folder / name).write_text(f"{getpass.getuser()}:100000:65536\n")
        (self.binfmt / "register").touch()
        (self.binfmt / "qemu-arm").write_text(BINFMT)
        script = (REPO / "inv").read_text()
        for line in (
            f'sockets=("{self.socket}" "{folder}/podman.sock")',
            f"binfmt={self.binfmt}",
            "pythons=(python3)",
            f'subids=("{folder}/subuid" "{folder}/subgid")',
            f"apparmor={folder}/apparmor",
            "PATH=$PATH",
        ):
            name = line.partition("=")[0]
            script, count = re.subn(rf"(?m)^{name}=.*$", lambda _, new=line: new, script)
            assert count == 1, name
        script = script.replace("/run/systemd/system", f"{folder}/systemd")
        script = script.replace("/usr/lib/binfmt.d", f"{folder}/binfmt.d")
        script = script.replace("/var/run/", f"{folder}/")
        script = re.sub(r"SECONDS \+ 30", "SECONDS + 1", script)
        inv = self.checkout / "inv"
        inv.write_text(script)
        inv.chmod(0o755)
        (self.checkout / "requirements.lock").write_text("invoke==1\n")
        (self.checkout / "requirements-dev.lock").write_text("invoke==1\npytest==1\n")
        (self.checkout / "crosspi").mkdir()
        (self.checkout / "crosspi/__main__.py").write_text(PROGRAM)

    def fake(self, name: str, does: str = "", code: int = 0) -> None:
        """A program that notes how it was called."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.said}"\n{does}\nexit {code}\n')
        path.chmod(0o755)

    def make_venv(self) -> None:
        """As make_venv in the script does, with an Invoke that says what it was given."""
        folder = self.checkout / ".venv/bin"
        folder.mkdir(parents=True)
        (folder / "python").symlink_to(sys.executable)
        lock = hashlib.sha256((self.checkout / "requirements.lock").read_bytes()).hexdigest()
        stamp = f"{lock} {Path(sys.executable).resolve()} {self.checkout}"
        (self.checkout / ".venv/crosspi-stamp").write_text(stamp)

    def inv(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": str(self.bin),
            "HOME": str(self.folder / "home"),
            "CODE": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            [str(self.checkout / "inv"), *arguments],
            cwd=cwd or self.folder,
            env=environ | self.environ,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def calls(self) -> list[str]:
        """What was called that changes a machine."""
        lines = self.said.read_text().splitlines() if self.said.exists() else []
        return [line for line in lines if line.startswith(CHANGES)]

    def files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if path != self.said}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@contextmanager
def answering(path: Path) -> Iterator[None]:
    """An engine that answers pings."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(8)

    def answer() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            client.recv(100)
            client.sendall(b"HTTP/1.0 200 OK\r\n\r\nOK")
            client.close()

    threading.Thread(target=answer, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.fixture
def engine(machine: Machine) -> Iterator[Machine]:
    with answering(machine.socket):
        yield machine


@pytest.fixture
def ready(engine: Machine) -> Machine:
    engine.make_venv()
    return engine


# --- the file ------------------------------------------------------------------------------------


def test_the_script_is_executable_and_parses() -> None:
    assert (REPO / "inv").stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(REPO / "inv")], check=True)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck here")
def test_shellcheck() -> None:
    subprocess.run(["shellcheck", str(REPO / "inv")], check=True)


@pytest.mark.parametrize("name", ["inv", "requirements.lock", "requirements-dev.lock"])
def test_no_host_of_a_registry_is_named(name: str) -> None:
    assert not re.search(r"https?://|\bpypi\.|debian\.org", (REPO / name).read_text())


def test_the_locks_hold_what_pyproject_wants_each_with_a_hash() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    users, developers = project["project"]["dependencies"], project["dependency-groups"]["dev"]
    for name, wants in (("", users), ("-dev", users + developers)):
        lock = (REPO / f"requirements{name}.lock").read_text()
        locked = locked_versions(lock)
        for line in wants:
            wanted = Requirement(line)
            assert locked[canonicalize_name(wanted.name)] in wanted.specifier, line
        for entry in re.split(r"\n(?=[a-z])", lock)[1:]:
            assert "--hash=sha256:" in entry, entry


def test_users_install_nothing_of_developers_and_both_the_same_versions() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    users, developers = (
        re.split(r"\n(?=[a-z])", (REPO / f"requirements{name}.lock").read_text())[1:]
        for name in ("", "-dev")
    )
    alone = {
        canonicalize_name(Requirement(line).name) for line in project["dependency-groups"]["dev"]
    }
    names = {canonicalize_name(entry.partition("==")[0]) for entry in users}
    assert not names & alone
    pinned = {re.split(r"\s+# via", entry)[0].strip() for entry in developers}
    assert {re.split(r"\s+# via", entry)[0].strip() for entry in users} <= pinned


# --- ready ---------------------------------------------------------------------------------------


def test_ready_says_nothing_changes_nothing_and_hands_over(ready: Machine) -> None:
    before = ready.files()
    started = time.perf_counter()
    done = ready.inv("build", "--target", "pi3", "a b")
    print(f"inv itself, ready: {time.perf_counter() - started:.3f} s")
    root = ready.checkout
    assert done.stdout == (
        f"[--search-root][{root}][build][--target][pi3][a b] in {ready.folder} with \n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ready.calls() == []
    assert ready.files() == before


def test_invokes_exit_code_is_ours(ready: Machine) -> None:
    ready.environ["CODE"] = "9"
    assert ready.inv("build").returncode == 9


def test_no_arguments_list_the_tasks(ready: Machine) -> None:
    assert "[--list]" in ready.inv().stdout


def test_help_needs_nothing(machine: Machine) -> None:
    done = machine.inv("--help")
    assert done.returncode == 0 and "usage: ./inv" in done.stdout
    assert machine.calls() == [] and not (machine.checkout / ".venv").exists()


def test_help_for_a_task_is_invokes(ready: Machine) -> None:
    assert "[--help][build]" in ready.inv("--help", "build").stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="the home of root is asked for")
@pytest.mark.parametrize("home", [None, ""])
def test_without_home_the_log_is_where_python_looks(machine: Machine, home: str | None) -> None:
    """It was a folder in /tmp, whose name anybody could take."""
    script = (machine.checkout / "inv").read_text()
    asking = script.replace('main "$@"', 'printf "%s" "$log"')
    (machine.checkout / "inv").write_text(asking)
    environ = {"PATH": str(machine.bin)} | ({} if home is None else {"HOME": home})
    log = subprocess.run(
        [machine.checkout / "inv"], env=environ, capture_output=True, text=True, check=True
    ).stdout
    python = "from crosspi.paths import Paths, Path; print(Paths.from_environment(Path()).logs)"
    logs = subprocess.run(
        [sys.executable, "-c", python], env=environ, cwd=REPO, capture_output=True, text=True
    )
    assert log == logs.stdout.strip() + "/setup.log"
    assert log.startswith(pwd.getpwuid(0).pw_dir)


def test_called_through_a_link(ready: Machine) -> None:
    link = ready.bin / "crosspi-inv"
    link.symlink_to(ready.checkout / "inv")
    done = subprocess.run(
        [link], env={"PATH": str(ready.bin), "CODE": "0"}, capture_output=True, text=True
    )
    assert f"[{ready.checkout}]" in done.stdout


def test_an_engine_at_another_socket_is_handed_on(machine: Machine) -> None:
    machine.make_venv()
    other = machine.folder / "podman.sock"
    with answering(other):
        done = machine.inv("build")
    assert done.stderr == "" and done.stdout.endswith(f"with unix://{other}\n")


def test_an_engine_of_the_users_is_used_as_it_is(ready: Machine) -> None:
    ready.environ["DOCKER_HOST"] = "tcp://build.example:2376"
    assert "with tcp://build.example:2376" in ready.inv("x").stdout
    assert ready.calls() == []


# --- --no-setup ----------------------------------------------------------------------------------


def test_no_setup_without_an_environment(machine: Machine) -> None:
    (machine.bin / "mmdebstrap").unlink()
    (machine.binfmt / "qemu-arm").unlink()
    before = machine.files()
    done = machine.inv("--no-setup", "build")
    assert done.returncode == 7
    for words in (
        "missing: mmdebstrap (apt-get install mmdebstrap)",
        "missing: docker.io",
        "missing: qemu-user-static",
        "missing: a running Docker or podman engine",
        "missing: binfmt entry qemu-arm",
        "missing: .venv",
        "fix: ./inv without --no-setup",
    ):
        assert words in done.stderr
    assert machine.calls() == []
    assert machine.files() == before


def test_no_setup_with_an_environment_goes_on(machine: Machine) -> None:
    machine.make_venv()
    done = machine.inv("--no-setup", "audit", "a.whl")
    assert done.returncode == 0 and "[audit][a.whl]" in done.stdout
    assert "missing: a running Docker" in done.stderr and machine.calls() == []


# --- bad machines --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Linux riscv64", "Linux aarch64", "Darwin arm64"])
def test_an_unsupported_machine(machine: Machine, kind: str) -> None:
    machine.fake("uname", f"echo {kind}")
    done = machine.inv("build")
    assert done.returncode == 7 and f"not supported: {kind}" in done.stderr
    assert machine.calls() == []


def test_without_apt(engine: Machine) -> None:
    (engine.bin / "mmdebstrap").unlink()
    done = engine.inv("build")
    assert done.returncode == 7
    assert "missing on this machine: mmdebstrap" in done.stderr and "fix:" in done.stderr


def test_apt_is_called_once_with_all_that_is_missing(machine: Machine) -> None:
    (machine.bin / "mmdebstrap").unlink()
    (machine.binfmt / "qemu-arm").unlink()
    machine.fake("python3", code=1)  # too old, or without venv
    machine.fake("apt-get", "echo E: broken packages; exit 100")
    machine.fake("sudo", '"$@"; exit')
    done = machine.inv("build")
    assert done.returncode == 7
    assert "  E: broken packages" in done.stderr and "setup.log" in done.stderr
    apt = [call for call in machine.calls() if call.startswith("apt-get")]
    assert apt == [
        "apt-get update",
        "apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "
        "python3-venv qemu-user-static mmdebstrap docker.io",
    ]
    assert not (machine.checkout / ".venv").exists()


def test_no_engine_is_installed_where_one_answers(engine: Machine) -> None:
    (engine.bin / "mmdebstrap").unlink()
    engine.fake("sudo", '"$@"; exit')
    engine.fake("apt-get", "exit 1")
    engine.inv("build")
    assert not any("docker.io" in call for call in engine.calls())


@pytest.mark.skipif(os.geteuid() != 0, reason="another user has sudo in the way")
def test_dockerd_is_started_by_hand_and_its_last_words_shown(machine: Machine) -> None:
    machine.make_venv()
    machine.fake("dockerd", "echo cannot mount cgroups; exit 1")
    machine.fake("setsid", 'shift; "$@"; exit 0')
    (machine.folder / "docker.pid").write_text(str(os.getpid()))  # another program's by now
    done = machine.inv("build")
    assert done.returncode == 6
    assert "  cannot mount cgroups" in done.stderr and "did not answer" in done.stderr
    assert "dockerd.log" in done.stderr
    assert not (machine.folder / "docker.pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="another user has sudo in the way")
def test_a_service_manager_starts_docker(machine: Machine) -> None:
    machine.make_venv()
    (machine.folder / "systemd").mkdir()
    machine.fake("dockerd")
    machine.fake("systemctl", "echo Unit is masked; exit 1")
    done = machine.inv("build")
    assert done.returncode == 6 and "Unit is masked" in done.stderr
    assert machine.calls() == ["systemctl start docker"]


def test_a_stale_socket_is_no_engine(machine: Machine) -> None:
    machine.make_venv()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(machine.socket))
    assert "missing: a running Docker" in machine.inv("--no-setup", "x").stderr


def test_a_dead_docker_host_is_not_replaced(machine: Machine) -> None:
    machine.make_venv()
    machine.fake("dockerd")
    machine.environ["DOCKER_HOST"] = f"unix://{machine.folder}/none.sock"
    done = machine.inv("build")
    assert done.returncode == 6 and "none.sock" in done.stderr and machine.calls() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another user has sudo in the way")
def test_binfmt_is_registered_by_the_distributions_rule(ready: Machine) -> None:
    (ready.binfmt / "qemu-arm").unlink()
    ready.fake("qemu-arm-static")
    (ready.folder / "binfmt.d").mkdir()
    (ready.folder / "binfmt.d/qemu-arm.conf").write_text(":qemu-arm:M::\\x7f:\\xff:/q:OPF\n")
    done = ready.inv("build")  # a fake kernel registers nothing
    assert (ready.binfmt / "register").read_text() == ":qemu-arm:M::\\x7f:\\xff:/q:OPF"
    assert done.returncode == 7 and "not registered with the kernel" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="another user has sudo in the way")
def test_an_entry_without_flag_f_is_left_to_the_user(ready: Machine) -> None:
    (ready.binfmt / "qemu-arm").write_text(BINFMT.replace("PF", "OC"))
    ready.fake("qemu-arm-static")
    done = ready.inv("build")
    assert done.returncode == 7 and "without flag F" in done.stderr and "echo -1" in done.stderr


def test_a_cache_that_cannot_be_made_is_one_message(machine: Machine) -> None:
    """As for a user of a container's, whom no list knows: his home is /."""
    (machine.folder / "file").touch()
    machine.environ["CROSSPI_CACHE"] = f"{machine.folder}/file/cache"
    done = machine.inv("build")
    assert done.returncode == 7 and len(done.stderr.splitlines()) == 2
    assert "file/cache" in done.stderr and "CROSSPI_CACHE" in done.stderr
    assert machine.calls() == []


def test_what_mmdebstrap_needs_is_installed_too(engine: Machine) -> None:
    for name in ("arch-test", "newuidmap"):
        (engine.bin / name).unlink()
    engine.fake("sudo", '"$@"; exit')
    engine.fake("apt-get", "exit 1")
    assert engine.inv("build").returncode == 7
    (install,) = [call for call in engine.calls() if call.startswith("apt-get install")]
    assert install.endswith(" arch-test uidmap")


@pytest.mark.parametrize(("known", "packages"), [(0, " docker.io docker-cli"), (1, " docker.io")])
def test_docker_itself_is_a_package_of_its_own_on_newer_systems(
    machine: Machine, known: int, packages: str
) -> None:
    (machine.bin / "docker").unlink()
    machine.fake("apt-cache", code=known)
    machine.fake("sudo", '"$@"; exit')
    machine.fake("apt-get", "exit 1")
    machine.inv("build")
    (install,) = [call for call in machine.calls() if call.startswith("apt-get install")]
    assert install.endswith("Timeout=300" + packages)


@pytest.mark.parametrize(("loaded", "wanted"), [("Y\n", True), ("N\n", False), (None, False)])
def test_apparmors_program_is_installed_where_the_kernel_has_it(
    engine: Machine, loaded: str | None, wanted: bool
) -> None:
    engine.make_venv()
    if loaded:
        (engine.folder / "apparmor").write_text(loaded)
    engine.fake("sudo", '"$@"; exit')
    engine.fake("apt-get", "exit 1")
    assert engine.inv("build").returncode == (7 if wanted else 0)
    assert any(call.endswith(" apparmor") for call in engine.calls()) == wanted


HELD = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"


def test_another_apt_that_holds_the_lists_is_waited_for(engine: Machine) -> None:
    """Seen: "Unable to locate package mmdebstrap", while another apt read its lists."""
    (engine.bin / "mmdebstrap").unlink()
    engine.fake("sudo", '"$@"; exit')
    times = engine.folder / "times"
    engine.fake(
        "apt-get",
        f'[ "$1" = update ] || exit 1; echo >>"{times}"; '
        f'[ "$(wc -l <"{times}")" -lt 3 ] || exit 0; echo "{HELD}" >&2; exit 100',
    )
    engine.inv("build")
    asked = [call.split()[1] for call in engine.calls() if call.startswith("apt-get")]
    assert asked == ["update", "update", "update", "install"]


def test_lists_that_fail_otherwise_are_not_waited_for(engine: Machine) -> None:
    (engine.bin / "mmdebstrap").unlink()
    engine.fake("sudo", '"$@"; exit')
    engine.fake("apt-get", "echo E: no network; exit 100")
    engine.inv("build")
    asked = [call.split()[1] for call in engine.calls() if call.startswith("apt-get")]
    assert asked == ["update", "install"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("before", "line"),
    [(None, "nobody:100000:65536"), ("a:100000:65536\nb:300000:9\n", "nobody:300009:65536")],
)
def test_a_user_gets_ids_that_nobody_has(before: str | None, line: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        machine = Machine(Path(folder))
        with_fake_venv(machine)
        machine.inv()
        machine.fake("sudo", 'shift 0; "$@"; exit')
        ids = machine.folder / "subuid"
        ids.unlink()
        if before:
            ids.write_text(before)
            ids.chmod(0o666)
        for path in (machine.folder, machine.said):
            path.chmod(0o777)
        done = subprocess.run(
            [machine.checkout / "inv"],
            env={"PATH": str(machine.bin), "HOME": folder, **machine.environ},
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
        )
        assert line in done.stderr
        assert ids.read_text().splitlines()[-1] == line


# --- the environment -----------------------------------------------------------------------------

FAKE_VENV = """
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"
  cat >"$3/bin/python" <<'END'
#!/bin/bash
[ "$1 $2 $3" != "-P -m crosspi" ] || { echo ran; exit; }
echo "pip $*" >>"SAID"
sleep "${SLOW:-0}"
exit ${PIP_CODE:-0}
END
  chmod +x "$3/bin/python"
  exit
fi
"""


def with_fake_venv(machine: Machine) -> None:
    body = FAKE_VENV.replace("SAID", str(machine.said))
    machine.fake("python3", f'{body}exec {sys.executable} "$@"')
    machine.environ["DOCKER_HOST"] = "tcp://x:1"  # the fake Python cannot ask a socket


def pips(machine: Machine) -> list[str]:
    return [line for line in machine.said.read_text().splitlines() if line.startswith("pip -m")]


def test_the_environment_is_made_once(machine: Machine) -> None:
    with_fake_venv(machine)
    first, second = machine.inv(), machine.inv()
    assert first.stdout == second.stdout == "ran\n"
    assert [line[:16] for line in first.stderr.splitlines()] == [
        "inv: making .ven",
        "inv: installing ",
    ]
    assert second.stderr == ""
    (pip,) = pips(machine)
    assert "--require-hashes" in pip and pip.endswith(f"-r {machine.checkout}/requirements.lock")


def test_a_changed_lock_or_a_broken_off_creation_makes_it_again(machine: Machine) -> None:
    with_fake_venv(machine)
    machine.environ["PIP_CODE"] = "1"
    failed = machine.inv()
    assert failed.returncode == 7 and "pip could not install" in failed.stderr
    del machine.environ["PIP_CODE"]
    assert machine.inv().stdout == "ran\n"
    (machine.checkout / "requirements.lock").write_text("invoke==2\n")
    left = machine.checkout / ".venv/left"
    left.touch()
    assert machine.inv().stdout == "ran\n"
    assert len(pips(machine)) == 3 and not left.exists()


@pytest.mark.parametrize("words", [["test"], ["lint"], ["build", "test", "--unit"]])
def test_what_tests_and_checks_want_is_installed_for_them(
    machine: Machine, words: list[str]
) -> None:
    with_fake_venv(machine)
    machine.inv("build")
    assert len(pips(machine)) == 1
    first, second = machine.inv(*words), machine.inv(*words)
    assert [line[:37] for line in first.stderr.splitlines()] == [
        "inv: installing requirements-dev.lock"
    ]
    assert second.stderr == ""
    users, developers = pips(machine)
    assert users.endswith("/requirements.lock") and developers.endswith("/requirements-dev.lock")
    assert "--require-hashes" in developers
    # A build is content with it; a new lock of the developers' is for them alone.
    (machine.checkout / "requirements-dev.lock").write_text("invoke==1\npytest==2\n")
    assert machine.inv("build").stderr == ""
    machine.inv(*words)
    assert len(pips(machine)) == 3


def test_help_and_builds_install_nothing_of_developers(machine: Machine) -> None:
    with_fake_venv(machine)
    for words in (["build", "--recipe", "latest"], ["--help", "test"], ["--list"]):
        machine.inv(*words)
    assert [pip.rpartition("/")[2] for pip in pips(machine)] == ["requirements.lock"]


def test_a_broken_off_installation_for_developers_is_made_again(machine: Machine) -> None:
    with_fake_venv(machine)
    machine.inv()
    machine.environ["PIP_CODE"] = "1"
    failed = machine.inv("test")
    assert failed.returncode == 7
    assert "pip could not install requirements-dev.lock" in failed.stderr
    del machine.environ["PIP_CODE"]
    assert machine.inv("test").stdout == "ran\n"
    assert len(pips(machine)) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_anothers_checkout_is_one_message() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        machine = Machine(Path(folder))
        with_fake_venv(machine)
        machine.inv()
        (machine.checkout / "requirements.lock").write_text("invoke==2\n")
        for name in ("subuid", "subgid"):
            (machine.folder / name).write_text("nobody:100000:65536\n")
        # The interpreter of these tests may be closed to others too.
        machine.fake("python3", FAKE_VENV)
        machine.folder.chmod(0o755)
        machine.said.chmod(0o666)
        done = subprocess.run(
            [machine.checkout / "inv"],
            env={"PATH": str(machine.bin), "HOME": folder, **machine.environ},
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 7 and len(done.stderr.splitlines()) == 2
    assert "no right to make" in done.stderr


def test_two_at_once_wait_for_each_other(machine: Machine) -> None:
    with_fake_venv(machine)
    machine.environ["SLOW"] = "0.5"
    done: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: done.append(machine.inv())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.stdout for one in done] == ["ran\n", "ran\n"]
    assert "waiting for another inv" in "".join(one.stderr for one in done)
    assert len(pips(machine)) == 1
