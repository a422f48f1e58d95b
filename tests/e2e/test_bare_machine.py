"""The README's two commands on a machine on which nobody has installed anything.

From a minimal Debian with ca-certificates, git and sudo, and a clone of this checkout, `./inv`
must install all that is needed; no image registry answers. Sources come from this machine's cache
where it has them, tools from nowhere but Debian and the Python package index.

Debian 12 is tried by every `./inv test`: a user with sudo builds a wheel, root makes an armhf root
and runs the unit tests. `./inv test --bare` and the nightly try Debian 13 too, and each does all.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bare_machine import (
    USER,
    BareMachine,
    Done,
    bare_machine,
    copy_of,
    install,
    missing_packages,
    present_rules,
)
from workshop import write_hello

from crosspi.console import Console
from crosspi.containers.images import image_data
from crosspi.paths import Paths
from crosspi.project import Project

CHECKOUT = Path(__file__).resolve().parents[2]
RECOMMENDS = Path(__file__).with_name("recommends.yaml")
#: Where the machine finds source files.
SITE = "/srv/sources"

pytestmark = [pytest.mark.e2e, pytest.mark.bare]


@dataclass(frozen=True)
class Case:
    """A machine, who works on it, and whether everything is tried there."""

    suite: str
    user: str
    everything: bool = False

    def __str__(self) -> str:
        return f"{self.suite}-{self.user}"


CASES = [
    Case("bookworm", USER),
    Case("bookworm", "root"),
    pytest.param(Case("trixie", USER, everything=True), marks=pytest.mark.nightly),
    pytest.param(Case("trixie", "root", everything=True), marks=pytest.mark.nightly),
]


@dataclass(frozen=True)
class Bench:
    """A machine with a copy of the checkout."""

    case: Case
    machine: BareMachine
    #: Of Debian's packages, before anything was done.
    packages: frozenset[str]

    @property
    def folder(self) -> str:
        home = "/root" if self.case.user == "root" else f"/home/{self.case.user}"
        return f"{home}/crosspi"

    def run(self, *command: str, **environment: str) -> Done:
        return self.machine.run(
            *command, user=self.case.user, folder=self.folder, CROSSPI_SOURCES=SITE, **environment
        )

    def inside(self, path: str) -> Path:
        """A file of the machine's as this one sees it."""
        return self.machine.root / path.lstrip("/")


def installed(machine: BareMachine) -> frozenset[str]:
    done = machine.run("dpkg-query", "--show", "--showformat=${Package}\n")
    return frozenset(done.text.split())


def ready() -> None:
    """Make this machine able to make others, where it is one of CI; else skip."""
    if os.geteuid() != 0:
        reason = "a bare machine needs root: sudo ./inv test --bare"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    if missing := missing_packages():
        if not os.environ.get("CI"):
            pytest.skip(f"a bare machine needs these: apt-get install {' '.join(missing)}")
        install(missing)


@pytest.fixture(scope="module", params=CASES, ids=str)
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    case: Case = request.param
    ready()
    log = tmp_path_factory.mktemp("bare") / f"{case}.log"
    paths = Paths.from_environment(CHECKOUT)
    with bare_machine(case.suite, paths.cache / "bare", log) as machine:
        bench = Bench(case, machine, installed(machine))
        copy_of(CHECKOUT, bench.inside(bench.folder), case.user, machine)
        lend_sources(bench.inside(SITE), paths)
        assert not {"python3", "docker.io", "mmdebstrap", "qemu-user-static"} & bench.packages
        yield bench
    print(f"\ntranscript: {log}")


def lend_sources(folder: Path, paths: Paths) -> None:
    """What a build for a Raspberry Pi 3 takes beside Debian's packages."""
    project = Project(paths, Console())
    folder.mkdir(parents=True)
    for name, source in image_data(CHECKOUT / "dockerfiles" / "toolchain").wheels.items():
        shutil.copy(project.sources.fetch(name, source), folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)


HOLD_THE_LISTS = """
use Fcntl;
open(my $lists, '>>', '/var/lib/apt/lists/lock') or die;
my $whole = pack('s s l! l! i', F_WRLCK, 0, 0, 0, 0);
fcntl($lists, F_SETLK, $whole) or die "not held: $!";
print "held\n";
close(STDOUT); close(STDERR);
sleep 12;
"""


def test_the_doctor_finds_it_healthy(bench: Bench) -> None:
    """Though, for root, another apt holds its lists at first."""
    if bench.case.user == "root":
        hold = bench.machine.run("sh", "-c", 'perl -e "$0" </dev/null & sleep 2', HOLD_THE_LISTS)
        assert "held" in hold.text, hold.text
    done = bench.run("./inv", "doctor")
    assert done.code == 0, done.text
    checks = doctor(bench)
    bad = {name: check for name, check in checks.items() if check["verdict"] != "ok"}
    assert set(bad) <= {"disk", "memory", "room for images"}, bad  # of the machine around it
    python = bench.run(".venv/bin/python", "-c", "import sys; print(sys._base_executable)")
    assert python.text.startswith("/usr/bin/python3"), python.text


def doctor(bench: Bench, *options: str) -> dict[str, Any]:
    done = bench.run("./inv", *options, "doctor", "--json")
    start = re.search(r"(?m)^\{", done.text)
    assert start, done.text
    answer, _ = json.JSONDecoder().raw_decode(done.text, start.start())  # an error may follow
    return {check["name"]: check for check in answer["checks"]}


def test_no_recommended_package_is_missing_unawares(bench: Bench) -> None:
    """Each that was not installed with what was is in the list of those that need not be."""
    known = yaml.safe_load(RECOMMENDS.read_text())
    have = installed(bench.machine)
    new = have - bench.packages
    assert {"mmdebstrap", "docker.io"} <= new
    shown = bench.machine.run(
        "dpkg-query", "--show", "--showformat=${Package}\\t${Recommends}\n", *sorted(new)
    )
    unknown = []
    for line in shown.text.splitlines():
        package, _, recommends = line.partition("\t")
        for group in filter(None, re.split(r",\s*", recommends)):
            names = {re.split(r"[\s:(]", name.strip())[0] for name in group.split("|")}
            if not names & have and not names & set(known["left_out"]):
                unknown.append(f"{package} recommends {group}")
    assert not unknown
    missing = set(known["needed"]) - have
    assert not missing


EMULATOR = '"$(readlink -m "$(sed -n "s/^interpreter //p" /proc/sys/fs/binfmt_misc/qemu-arm)")"'

#: What is done to the machine, what undoes it, and what the doctor must say of which check.
SICK = {
    "the engine's folder is too small": (
        "mount -t tmpfs -o size=300m tmpfs /var/lib/docker",
        "umount /var/lib/docker",
        ("room for images", "fail", "/var/lib/docker"),
    ),
    "arch-test is gone": (
        "mv /usr/bin/arch-test /root/away",
        "mv /root/away /usr/bin/arch-test",
        ("an ARM program", "warn", "arch-test is not installed"),
    ),
    # As where another's container registered it: with flag F the kernel holds it open.
    "the emulator lies nowhere": (
        f"mv {EMULATOR} /root/away",
        f"mv /root/away {EMULATOR}",
        ("qemu", "ok", "arch-test"),
    ),
}


@pytest.mark.parametrize("name", SICK)
def test_the_doctor_sees(bench: Bench, name: str) -> None:
    if bench.case.user != "root":
        pytest.skip("root may make it sick")
    do, undo, (check, verdict, words) = SICK[name]
    assert bench.machine.run("sh", "-c", do).code == 0
    try:
        found = doctor(bench, "--no-setup")[check]
    finally:
        assert bench.machine.run("sh", "-c", undo).code == 0
    assert found["verdict"] == verdict and words in found["state"], found


def test_a_root_for_the_board_where_tmp_will_not_do(bench: Bench) -> None:
    """With /tmp mounted noexec, as on hardened machines."""
    if bench.case.user != "root":
        pytest.skip("the build makes one")
    assert bench.machine.run("mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", "/tmp").code == 0
    try:
        assert "noexec" in doctor(bench)["temporary files"]["state"]
        code = (
            "from pathlib import Path; from crosspi.containers.engine import Engine; "
            "from crosspi.containers.images import base_image; "
            "print(base_image(Engine.connect(), 'bookworm', 'armhf', log=Path('log'), line=print))"
        )
        done = bench.run(".venv/bin/python", "-c", code, PYTHONPATH=".")
        assert done.code == 0, done.text
        assert "bootstrapping bookworm for armhf" in done.text
        assert done.text.endswith("crosspi/base:bookworm-armhf\n")
    finally:
        bench.machine.run("umount", "/tmp")


def test_the_unit_tests_pass_under_its_own_python(bench: Bench) -> None:
    if not (bench.case.everything or bench.case.user == "root"):
        pytest.skip("root runs them")
    done = bench.run("./inv", "test", "--unit")
    assert done.code == 0, done.text[-5000:]


def test_a_wheel_is_built_audited_tested_and_published(bench: Bench) -> None:
    if not (bench.case.everything or bench.case.user == USER):
        pytest.skip("the user builds one")
    recipe = bench.inside(f"{bench.folder}/recipes/hello")
    write_hello(recipe)
    bench.machine.run("chown", "-R", f"{bench.case.user}:", f"{bench.folder}/recipes/hello")
    done = bench.run(
        "./inv", "build", "--target", "pi3", "--python", "3.11", "--recipe", "hello", "--verbose"
    )
    assert done.code == 0, done.text[-5000:]
    if bench.case.user != "root":  # whose root for the board an earlier test has made
        assert "bootstrapping bookworm for armhf" in done.text  # and not pulled from anywhere
    dist = bench.inside(f"{bench.folder}/dist")
    (wheel,) = dist.glob("*.whl")
    assert wheel.name == "hello-1.0-cp311-cp311-linux_armv7l.whl"
    proof = json.loads((dist / f"{wheel.name}.json").read_text())
    assert {"audit", "smoke"} <= {step.partition(":")[0] for step in proof["proof"]}
    assert "hello-1.0" in (dist / "simple/hello/index.html").read_text()


def test_nothing_of_a_machine_is_left_when_a_test_fails(tmp_path: Path) -> None:
    ready()
    cache = Paths.from_environment(CHECKOUT).cache / "bare"
    before = set(present_rules().splitlines())
    mark = f"sleep 3{os.getpid()}"
    with (
        pytest.raises(RuntimeError, match="a test"),
        bare_machine("bookworm", cache, tmp_path / "log") as machine,
    ):
        assert machine.run("sh", "-c", f"{mark} >/dev/null 2>&1 & exit 3").code == 3
        ours = set(present_rules().splitlines()) - before
        assert processes(mark) and ours and machine.root.exists()
        (network,) = machine.run("sh", "-c", "ls /sys/class/net | grep -v lo").text.split()
        assert network == "eth0"
        raise RuntimeError("a test")
    assert not processes(mark)
    assert not ours & set(present_rules().splitlines())
    assert not machine.root.parent.exists()
    assert str(machine.root) not in Path("/proc/self/mountinfo").read_text()


def processes(command: str) -> list[str]:
    """Those of this machine, and of the machines in it, that run a command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_text().replace("\0", " ").strip())
    return [text for text in found if text == command]
