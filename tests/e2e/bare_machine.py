"""A bare Debian as a machine of its own: what nobody has installed anything on by hand.

A root made by mmdebstrap, and namespaces around it: mount, pid, ipc, uts, cgroup, net with a pair
of interfaces, and from Linux 6.7 on user, which gives it a binfmt_misc of its own. Its first
process ends when the test's process does, however that happens; the kernel then ends all others
and undoes every mount and interface. What is left to do are three rules of iptables and the
folder, and a later machine removes the folder of one that was killed.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import ipaddress
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import docker

from crosspi.containers.host import engine_addresses
from crosspi.containers.mirrors import machine_mirrors

NEEDED = {"mmdebstrap": "mmdebstrap", "ip": "iproute2", "iptables": "iptables"}
INCLUDED = ("ca-certificates", "git", "sudo")
USER = "builder"
#: Settings of apt that say how the mirror is reached; those of pip in the environment.
APT_SETTINGS = re.compile(r"Acquire::(?:https?::|Check-|Retries|ForceIPv)\S* \".*\";")
SETTINGS = re.compile(
    r"(?i)pip_(?:index_url|extra_index_url|trusted_host|default_timeout)|\w+_proxy"
)
ADMIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Ids inside are those outside; not all, or dockerd would not see that it is in a namespace.
IDS = "0 0 1000000"

#: Runs as root of the new namespaces, in the root's folder, which is mounted on itself.
FIRST_PROCESS = """
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o nosuid,mode=755 tmpfs dev
for node in null zero full random urandom tty fuse; do
  [ -e /dev/$node ] || continue
  : >dev/$node
  mount --bind /dev/$node dev/$node
done
mkdir dev/pts dev/shm
mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run
mkdir run/lock run/old
hostname "$2"
pivot_root . run/old
cd /
umount -l /run/old
rmdir /run/old
echo ready
# The shell ends what it is given as children; its input ends with the test.
while read -r _; do :; done
"""


class BareMachineError(Exception):
    """The machine could not be made: nothing is said about crosspi."""


@dataclass(frozen=True)
class Done:
    """What a command in the machine did."""

    code: int
    text: str


def missing_packages() -> list[str]:
    """What this machine lacks for making others."""
    return [package for name, package in NEEDED.items() if shutil.which(name) is None]


def install(packages: Sequence[str]) -> None:
    """For CI, where nobody else does."""
    run("apt-get", "update")
    run("apt-get", "install", "--yes", "--no-install-recommends", *packages)


def own_binfmt() -> bool:
    """Whether a user namespace has a binfmt_misc of its own; else all share the kernel's."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return release is not None and (int(release[1]), int(release[2])) >= (6, 7)


def namespaces() -> list[str]:
    """Options of unshare(1) and nsenter(1) alike."""
    kinds = ["mount", "pid", "net", "ipc", "uts", "cgroup", *(["user"] if own_binfmt() else [])]
    return [f"--{kind}" for kind in kinds]


def run(*command: str | Path, data: str | None = None) -> str:
    """The output of a command that must succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, input=data)
    if done.returncode:
        raise BareMachineError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


# --- the root ------------------------------------------------------------------------------------


def bare_root(suite: str, cache: Path) -> Path:
    """A tar file of a bare Debian, with the security fixes of today.

    It is made once a day at most: what Debian changes is seen on the next. On a machine of CI,
    which starts from nothing, it is made each time.
    """
    today = datetime.datetime.now(datetime.UTC).date()
    tar = cache / f"{suite}-{today}-{'-'.join(INCLUDED)}.tar"
    if tar.exists():
        return tar
    cache.mkdir(parents=True, exist_ok=True)
    for old in cache.glob(f"{suite}-*.tar"):
        old.unlink()
    mirrors = machine_mirrors()
    if not mirrors.main:
        raise BareMachineError("apt names no mirror of Debian's here")
    lines = [f"deb {mirrors.main} {suite} main", f"deb {mirrors.main} {suite}-updates main"]
    if mirrors.security:
        lines.append(f"deb {mirrors.security} {suite}-security main")
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        settings = Path(folder, "apt.conf")
        settings.write_text(apt_settings())
        made = Path(folder, "root.tar")
        run(
            *("mmdebstrap", "--mode=root", "--variant=minbase", f"--aptopt={settings}"),
            *(f"--include={','.join(INCLUDED)}", suite, made, *lines),
        )
        made.rename(tar)
    return tar


def apt_settings() -> str:
    """How this machine's apt reaches its mirror."""
    lines = run("apt-config", "dump", "Acquire").splitlines()
    return "".join(f"{line}\n" for line in lines if APT_SETTINGS.fullmatch(line))


def furnish(root: Path, name: str) -> None:
    """The settings of this machine's network, a user with sudo; no program."""
    etc = root / "etc"
    resolv = Path("/etc/resolv.conf")
    if re.search(r"(?m)^nameserver\s+127\.", resolv.read_text()):
        resolv = Path("/run/systemd/resolve/resolv.conf")  # those behind systemd's own
    for path, text in {
        etc / "resolv.conf": resolv.read_text(),
        etc / "hostname": f"{name}\n",
        etc / "hosts": f"127.0.0.1 localhost {name} {' '.join(registry_hosts())}\n",
        etc / "apt/apt.conf.d/99outer": apt_settings(),
        etc / "sudoers.d" / USER: f"{USER} ALL=(ALL) NOPASSWD: ALL\n",
    }.items():
        path.unlink(missing_ok=True)
        path.write_text(text)
    for file in (Path("/etc/pip.conf"), Path("/etc/ssl/certs/ca-certificates.crt")):
        if file.exists():
            shutil.copy(file, root / file.relative_to("/"))
    run("chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", USER)


def registry_hosts() -> list[str]:
    """Where the engine would pull from: inside, nobody answers there."""
    client = docker.DockerClient(base_url=next(iter(engine_addresses())))
    try:
        address = str(client.info().get("IndexServerAddress") or "")
    finally:
        client.close()
    host = re.sub(r"^https?://([^/:]+).*", r"\1", address)
    if not host:
        return []
    domain = host.removeprefix("index.")
    return [host, domain, f"registry-1.{domain}"]


# --- the machine ---------------------------------------------------------------------------------


@dataclass
class BareMachine:
    """A running machine."""

    root: Path
    pid: int
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *command: str,
        user: str = "root",
        folder: str = "",
        timeout: float = 7200,
        **environment: str,
    ) -> Done:
        """Run a command as after a login; its output goes to the log as well."""
        home = "/root" if user == "root" else f"/home/{user}"
        path = ADMIN if user == "root" else "/usr/local/bin:/usr/bin:/bin"
        values = {"HOME": home, "USER": user, "TERM": "dumb", "PATH": path, "LANG": "C.UTF-8"}
        values.update(self.environment)
        values.update(environment)
        words = [
            *("nsenter", f"--target={self.pid}", "--setuid=0", "--setgid=0", *namespaces()),
            *("env", "--ignore-environment"),
            *(f"{name}={value}" for name, value in values.items()),
            *("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"),
            *("env", f"--chdir={folder or home}", *command),
        ]
        lines = []
        with self.log.open("a") as log:
            log.write(f"\n{user}$ {' '.join(command)}\n")
            log.flush()
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            assert process.stdout is not None
            with ended(process, timeout):
                for line in process.stdout:
                    log.write(line)
                    log.flush()
                    lines.append(line)
                code = process.wait()
            log.write(f"[exit code {code}]\n")
        return Done(code, "".join(lines))


@contextlib.contextmanager
def ended(process: subprocess.Popen[str], timeout: float) -> Iterator[None]:
    """The process is killed after its time, and however the block is left."""
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        process.kill()
        process.wait()


@contextlib.contextmanager
def bare_machine(suite: str, cache: Path, log: Path) -> Iterator[BareMachine]:
    """A bare machine, which is gone at the end, with all that runs in it.

    Args:
        suite: of Debian.
        cache: a folder on a real file system: Docker's own folder is in it.
        log: the file for all that its commands print.

    Raises:
        BareMachineError: it could not be made.
    """
    with contextlib.ExitStack() as stack:
        with locked(cache / "lock"):
            tar = bare_root(suite, cache)
            remove_abandoned(cache)
            folder = Path(tempfile.mkdtemp(prefix="machine-", dir=cache))
            stack.callback(remove, folder)
            stack.enter_context(locked(folder / "lock"))
        root = folder / "root"
        root.mkdir()
        run("tar", "-x", "--numeric-owner", "-f", tar, "-C", root)
        folder.chmod(0o755)
        name = folder.name.replace("_", "-")
        furnish(root, name)
        process = stack.enter_context(first_process(root, name))
        stack.enter_context(network(process.pid))
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise BareMachineError(f"no namespaces for {root}: see the test's standard error")
        pid = int(run("pgrep", "--parent", str(process.pid)))
        given = {key: value for key, value in os.environ.items() if SETTINGS.fullmatch(key)}
        yield BareMachine(root, pid, log, given)


@contextlib.contextmanager
def first_process(root: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """The parent of pid 1: it has made the namespaces, and starts pid 1 when it reads a line."""
    start = 'read -r _; exec bash -c "$1" bash "$2" "$3"'
    process = subprocess.Popen(
        [
            *("unshare", *namespaces(), "--fork", "--kill-child"),
            *("bash", "-c", start, "bash", FIRST_PROCESS),
            *(str(root), name),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_namespaces(process.pid)
        for kind in ("uid", "gid") if own_binfmt() else ():
            Path(f"/proc/{process.pid}/{kind}_map").write_text(IDS)
        yield process
    finally:
        # Its child, pid 1, reads from here: with it all others end. The signal of --kill-child is
        # lost where that became another user.
        assert process.stdin is not None
        process.stdin.close()
        process.kill()
        process.wait()


def wait_for_namespaces(pid: int) -> None:
    """Until the process has made them all: then it has a child."""
    for _ in range(500):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                return
        time.sleep(0.02)
    raise BareMachineError("the kernel made no namespaces")


@contextlib.contextmanager
def network(pid: int) -> Iterator[None]:
    """A pair of interfaces between the process's network and this one, and a way out."""
    with contextlib.ExitStack() as stack:
        name, net = interface(pid)
        stack.callback(subprocess.run, ["ip", "link", "del", name], stderr=subprocess.DEVNULL)
        outer, inner = str(net[1]), str(net[2])
        run("ip", "addr", "add", f"{outer}/30", "dev", name)
        run("ip", "link", "set", name, "up")
        enter = ("nsenter", f"--target={pid}", "--net", "ip")
        run(*enter, "addr", "add", f"{inner}/30", "dev", "eth0")
        for device in ("lo", "eth0"):
            run(*enter, "link", "set", device, "up")
        run(*enter, "route", "add", "default", "via", outer)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        for table, chain, *rule in rules(name, net):
            run("iptables", "-w", "-t", table, "-I", chain, *rule)
            stack.callback(run, "iptables", "-w", "-t", table, "-D", chain, *rule)
        yield


def pairs() -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    """The names and networks that machines may have."""
    networks = ipaddress.IPv4Network("10.213.0.0/22").subnets(new_prefix=30)
    return ((f"crosspi{number}", net) for number, net in enumerate(networks))


def rules(name: str, net: ipaddress.IPv4Network) -> list[tuple[str, ...]]:
    """The rules of iptables for a pair: table, chain, and the rest."""
    return [
        ("filter", "FORWARD", "-i", name, "-j", "ACCEPT"),
        ("filter", "FORWARD", "-o", name, "-j", "ACCEPT"),
        ("nat", "POSTROUTING", "-s", str(net), "-j", "MASQUERADE"),
    ]


def present_rules() -> str:
    """All rules in those chains."""
    chains = (("filter", "FORWARD"), ("nat", "POSTROUTING"))
    return "".join(run("iptables", "-w", "-t", table, "-S", chain) for table, chain in chains)


def interface(pid: int) -> tuple[str, ipaddress.IPv4Network]:
    """Make the first pair that is free; its other end is eth0 in the process's network."""
    said = ""
    for name, net in pairs():
        words = f"ip link add {name} type veth peer name eth0 netns {pid}".split()
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode == 0:
            return name, net
        said = done.stderr
        if "exists" not in said:
            break
    raise BareMachineError(f"no pair of interfaces: {said}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for a lock, which the kernel gives back however this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_abandoned(cache: Path) -> None:
    """What killed tests left: folders that nobody locks, rules for no interface."""
    for folder in cache.glob("machine-*"):
        with contextlib.suppress(OSError), (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)
    present = set(present_rules().splitlines())
    for name, net in pairs():
        if Path("/sys/class/net", name).exists():
            continue
        for table, chain, *rule in rules(name, net):
            if " ".join(["-A", chain, *rule]) in present:
                run("iptables", "-w", "-t", table, "-D", chain, *rule)


def remove(folder: Path) -> None:
    """Remove a machine's folder. Nothing is mounted there outside its own namespace."""
    for _ in range(3):  # its last processes may still be ending
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    run("rm", "-rf", "--one-file-system", folder)


def copy_of(checkout: Path, folder: Path, owner: str, machine: BareMachine) -> None:
    """A clone of a checkout with what is not committed yet, as a user of the machine has it."""
    run("git", "clone", "--quiet", "--no-hardlinks", checkout, folder)
    listed = run(
        "git", "-C", checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard"
    )
    for name in listed.split("\0")[:-1]:
        source, target = checkout / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        else:
            target.unlink(missing_ok=True)
    inside = "/" + str(folder.relative_to(machine.root))
    done = machine.run("chown", "--recursive", f"{owner}:", inside)
    assert done.code == 0, done.text


def main(arguments: Sequence[str]) -> int:
    """By hand: PYTHONPATH=. python bare_machine.py SUITE COMMAND..., in a copy of this checkout."""
    suite, *command = arguments
    checkout = Path(__file__).resolve().parents[2]
    cache = Path(os.environ.get("CROSSPI_CACHE") or Path.home() / ".cache/crosspi") / "bare"
    with bare_machine(suite, cache, Path("/dev/stderr")) as machine:
        copy_of(checkout, machine.root / f"home/{USER}/crosspi", USER, machine)
        user = os.environ.get("AS", USER)
        return machine.run(*command, user=user, folder=f"/home/{USER}/crosspi").code


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
