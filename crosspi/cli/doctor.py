"""Each thing crosspi needs of this machine: its state, and the remedy where it is not well.

Every check is a function of what it looks at, so that a test can show it a sick machine.
`checks` asks the real one. No check opens a connection except to the engine's socket.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crosspi.console import Console, size
from crosspi.containers import bootstrap, host
from crosspi.containers.bootstrap import SET_UP
from crosspi.containers.emulator import find_qemu, run_qemu
from crosspi.errors import chain
from crosspi.reports.answers import CheckAnswer, DoctorAnswer

Grade = Literal["ok", "warn", "fail"]

#: Both trap the same instructions on the boards' CPUs.
TRIED_QEMU = ("7.2", "10.0")
LEAST_PYTHON = (3, 11)
WARN_DISK, FAIL_DISK = 15 * 10**9, 3 * 10**9
WARN_MEMORY = 3 * 10**9  # a link of TensorFlow Lite, two compilers beside it
_NO_REGISTRY = "needed where no image registry answers"
#: Of the engine's own folder: the tools' image, one board's Python, and what is unpacked meanwhile.
WARN_IMAGES, FAIL_IMAGES = 6 * 10**9, 2 * 10**9


@dataclass(frozen=True)
class Check:
    """One prerequisite: its verdict, what was found, and what to do about it ("" if well)."""

    name: str
    verdict: Grade
    state: str
    remedy: str = ""


@dataclass(frozen=True)
class EngineFacts:
    """What an engine tells of itself."""

    address: str
    name: str  # Docker or Podman
    version: str
    driver: str
    cgroups: str = ""
    folder: str = ""  # where its images lie
    foreign_users: bool = False  # see containers.host.maps_users


# --- Python --------------------------------------------------------------------------------------


def check_python(version: Sequence[int]) -> Check:
    text = ".".join(str(part) for part in version[:3])
    if tuple(version[:2]) < LEAST_PYTHON:
        return Check("Python", "fail", text, f"install Python 3.11 or newer; {SET_UP}")
    return Check("Python", "ok", text)


def locked_versions(lock: str) -> dict[str, str]:
    """Package → version, of the lines of a lock file that apply to this interpreter."""
    versions: dict[str, str] = {}
    for line in lock.splitlines():
        text = line.split(" #")[0].rstrip("\\ ")
        if not text or text[0] in "# -":
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            pin = next(iter(requirement.specifier))
            versions[canonicalize_name(requirement.name)] = pin.version
    return versions


def check_lock(lock: str, installed: Mapping[str, str]) -> Check:
    """Whether the environment holds what requirements.lock pins."""
    name = "Python packages"
    wrong = [
        f"{package} {installed.get(package, 'missing')} (locked: {version})"
        for package, version in locked_versions(lock).items()
        if installed.get(package) != version
    ]
    if not wrong:
        return Check(name, "ok", "as requirements.lock pins them")
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return Check(name, "warn", ", ".join(wrong[:3]) + more, SET_UP)


def installed_versions() -> dict[str, str]:
    return {
        canonicalize_name(item.metadata["Name"]): item.version for item in metadata.distributions()
    }


# --- the engine ----------------------------------------------------------------------------------


def ask_engine(address: str) -> EngineFacts:
    """The engine at that address; raises OSError (or docker's own error) where none answers."""
    import docker  # heavy: only where it is needed

    client = docker.DockerClient(base_url=address, timeout=10)
    try:
        version, info = client.version(), client.info()
    finally:
        client.close()
    parts = [part.get("Name", "") for part in version.get("Components") or []]
    return EngineFacts(
        address=address,
        name="Podman" if any("podman" in part.lower() for part in parts) else "Docker",
        version=str(version.get("Version", "?")),
        driver=str(info.get("Driver", "?")),
        cgroups=str(info.get("CgroupVersion", "")),
        folder=str(info.get("DockerRootDir", "")),
        foreign_users=host.maps_users(info),
    )


def check_engine(addresses: Sequence[str], ask: Callable[[str], EngineFacts] = ask_engine) -> Check:
    """The first engine that answers, or why none does."""
    name = "container engine"
    faults = []
    denied = False
    for address in addresses:
        try:
            engine = ask(address)
        except Exception as error:  # docker, requests and urllib3 each have their own
            denied = denied or _is_denied(error)
            faults.append(f"{address}: {_reason(error)}")
            continue
        notes = [f"storage {engine.driver}"]
        if engine.cgroups:
            notes.append(f"cgroups v{engine.cgroups}")
        state = f"{engine.name} {engine.version} at {address} ({', '.join(notes)})"
        if engine.foreign_users:
            return Check(name, "fail", f"{state}: rootless", f"{host.ROOTLESS}: {host.ROOTFUL}")
        if engine.driver == "vfs":
            return Check(
                name, "warn", state, "storage vfs copies every layer: use overlay2 on ext4 or xfs"
            )
        return Check(name, "ok", state)
    if denied:
        return Check(
            name,
            "fail",
            "; ".join(faults),
            "add yourself to group docker (sudo usermod -aG docker YOU, then log in again), "
            "or run with sudo",
        )
    if faults:
        return Check(name, "fail", "; ".join(faults), f"start it: {SET_UP}")
    return Check(name, "fail", "no Docker or podman socket", f"{SET_UP}, or set DOCKER_HOST")


def check_images_room(
    addresses: Sequence[str],
    ask: Callable[[str], EngineFacts] = ask_engine,
    free: Callable[[Path], int] | None = None,
) -> Check:
    """Whether images fit on the disk of the engine's own folder, where that is on this machine."""
    name = "room for images"
    free = free or free_space
    for address in addresses:
        try:
            folder = ask(address).folder
            if not address.startswith("unix:") or not folder or not Path(folder).exists():
                return Check(name, "ok", "the engine keeps them elsewhere")
            room = free(Path(folder))
        except Exception:  # what is wrong with the engine is said by its own check
            continue
        state = f"{size(room)} free in {folder}"
        remedy = "free some space there (docker system df), or set the engine's data-root"
        if room < FAIL_IMAGES:
            return Check(name, "fail", state, remedy)
        if room < WARN_IMAGES:
            return Check(name, "warn", f"{state}; all images want {size(WARN_IMAGES)}", remedy)
        return Check(name, "ok", state)
    return Check(name, "warn", "unknown: no engine answers")


def check_docker_program(path: str | None) -> Check:
    name = "docker"
    if path is None:
        return Check(name, "warn", "the program is not installed", f"for `invoke shell`: {SET_UP}")
    return Check(name, "ok", path)


def _is_denied(error: BaseException) -> bool:
    return any(
        isinstance(one, PermissionError) or getattr(one, "errno", None) == errno.EACCES
        for one in chain(error)
    )


def _reason(error: BaseException) -> str:
    for one in chain(error):
        if isinstance(one, OSError) and isinstance(one.strerror, str):  # requests puts others there
            return one.strerror.lower()
    return str(error).splitlines()[0] if str(error) else type(error).__name__


# --- emulation -----------------------------------------------------------------------------------


def check_binfmt(entry: host.BinfmtEntry | None) -> Check:
    name = "ARM programs (binfmt_misc)"
    if entry is None:
        return Check(name, "fail", "qemu-arm is not registered", SET_UP)
    if not entry.enabled:
        return Check(name, "fail", "qemu-arm is registered but disabled", SET_UP)
    if not entry.fixed:
        return Check(
            name,
            "fail",
            f"registered without flag F (flags: {entry.flags or 'none'})",
            "containers cannot see the host's qemu: as root, "
            f"echo -1 >{host.BINFMT}/qemu-arm; then {SET_UP}",
        )
    return Check(name, "ok", f"{entry.interpreter}, flags {entry.flags}")


def check_qemu(
    program: str | None, cpus: Sequence[str], run: Callable[..., str] = run_qemu
) -> Check:
    """The emulator's version, and that it knows the boards' CPUs."""
    name = "qemu"
    if program is None:
        return Check(name, "fail", "no qemu-arm-static", f"{SET_UP}, or install qemu-user-static")
    try:
        found = re.search(r"version (\d+\.\d+)\S*", run(program, "--version"))
        known = set(run(program, "-cpu", "help").split())
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name, "fail", f"{program}: {error}", "reinstall qemu-user-static")
    version = found[1] if found else "?"
    state = f"{version} ({program})"
    missing = [cpu for cpu in cpus if cpu not in known]
    if missing:
        return Check(
            name, "fail", f"{state} does not know {', '.join(missing)}", "install a newer qemu"
        )
    if version not in TRIED_QEMU:
        tried = ", ".join(TRIED_QEMU)
        return Check(
            name,
            "warn",
            f"{state}: untried (tried: {tried})",
            "nothing, unless a smoke test fails oddly; then compare with a tried version",
        )
    return Check(name, "ok", f"{state}, knows {', '.join(cpus)}" if cpus else state)


def check_arm(fault: str) -> Check:
    """Whether ARM programs really run; `fault` is `bootstrap.cannot_run`'s answer."""
    name = "an ARM program"
    if fault == bootstrap.NO_ARCH_TEST:
        return Check(name, "warn", f"untried: {fault}", f"{_NO_REGISTRY}: {SET_UP}")
    if fault:
        return Check(name, "fail", fault, SET_UP)
    return Check(name, "ok", "runs (arch-test armhf)")


# --- the machine ---------------------------------------------------------------------------------


def check_machine(system: str, machine: str) -> Check:
    state = f"{system} {machine}"
    if (system, machine) != ("Linux", "x86_64"):
        return Check("host", "fail", state, "run crosspi on 64-bit x86 Linux (Debian 12 or 13)")
    return Check("host", "ok", state)


def check_mmdebstrap(path: str | None, fault: str = "") -> Check:
    """Whether base images can be made; `fault` is `bootstrap.cannot_make_roots`'s answer."""
    name = "mmdebstrap"
    if path is None:
        return Check(name, "warn", "not installed", f"{_NO_REGISTRY}: {SET_UP}")
    if "the kernel" in fault:
        remedy = "as root: sysctl kernel.unprivileged_userns_clone=1, or run as root"
        return Check(name, "warn", fault, f"{_NO_REGISTRY}: {remedy}")
    if fault:
        return Check(name, "warn", fault, f"{_NO_REGISTRY}: {SET_UP}")
    return Check(name, "ok", path)


def check_scratch(folders: Sequence[Path], lacks: Callable[[Path], str]) -> Check:
    """Whether a root can be made and run in one of the folders for temporary files."""
    name = "temporary files"
    faults = [fault for fault in map(lacks, folders) if fault]
    if not faults:
        return Check(name, "ok", str(folders[0]))
    if len(faults) < len(folders):
        return Check(name, "ok", f"{'; '.join(faults)}: another folder serves")
    remedy = (
        f"{_NO_REGISTRY}: make room there, or name another folder by TMPDIR, not mounted noexec"
    )
    return Check(name, "warn", "; ".join(faults), remedy)


def check_disk(folder: Path, free: int) -> Check:
    state = f"{size(free)} free in {folder}"
    remedy = "free some space (`invoke clean`), or point CROSSPI_CACHE at a larger disk"
    if free < FAIL_DISK:
        return Check("disk", "fail", state, remedy)
    if free < WARN_DISK:
        return Check("disk", "warn", f"{state}; a cold build wants {size(WARN_DISK)}", remedy)
    return Check("disk", "ok", state)


def free_space(folder: Path) -> int:
    """Of the disk that holds the folder, or would if it were made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_sources(folder: str | None) -> Check:
    name = "CROSSPI_SOURCES"
    if not folder:
        return Check(name, "ok", "not set: sources come from their origins")
    path = Path(folder)
    if not path.is_dir():
        return Check(name, "fail", f"{folder} is not a folder", "make it, or unset the variable")
    if not os.access(path, os.R_OK | os.X_OK):
        return Check(name, "fail", f"{folder} cannot be read", "give yourself read permission")
    return Check(name, "ok", folder)


def check_memory(total: int) -> Check:
    if total < WARN_MEMORY:
        return Check("memory", "warn", size(total), "compile with fewer jobs: --jobs 1")
    return Check("memory", "ok", size(total))


def check_cores(count: int) -> Check:
    return Check("cores", "ok", str(count))


# --- all of them ---------------------------------------------------------------------------------


def checks(
    *,
    cpus: Sequence[str],
    cache: Path,
    lock: Path,
    environ: Mapping[str, str] = os.environ,
) -> list[Check]:
    """This machine's state.

    Args:
        cpus: the CPUs qemu must know, from the toolchains.
        cache: the folder whose disk the builds fill.
        lock: the project's requirements.lock.
        environ: DOCKER_HOST, CROSSPI_SOURCES and the like.
    """
    machine = os.uname()
    entry = host.arm_binfmt()
    addresses = host.engine_addresses(environ)
    qemu, run = find_qemu(entry)
    return [
        check_machine(machine.sysname, machine.machine),
        check_python(sys.version_info[:3]),
        check_lock(lock.read_text(encoding="utf-8"), installed_versions()),
        check_engine(addresses),
        check_images_room(addresses),
        check_docker_program(shutil.which("docker")),
        check_binfmt(entry),
        check_arm(bootstrap.cannot_run("armhf")),
        check_qemu(qemu, cpus, run),
        check_mmdebstrap(shutil.which("mmdebstrap"), bootstrap.cannot_make_roots()),
        check_scratch(bootstrap.scratch_candidates(), bootstrap.lacks),
        check_disk(cache, free_space(cache.absolute())),
        check_sources(environ.get("CROSSPI_SOURCES")),
        check_memory(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        check_cores(len(os.sched_getaffinity(0))),
    ]


def healthy(found: Sequence[Check]) -> bool:
    """Whether nothing failed; warnings do not count."""
    return all(check.verdict != "fail" for check in found)


def answer(found: Sequence[Check]) -> DoctorAnswer:
    """For `--json`."""
    return DoctorAnswer(checks=[CheckAnswer(**asdict(check)) for check in found])


def render(found: Sequence[Check], console: Console) -> None:
    """A table of states, then the remedies."""
    console.table(
        "", ["check", "", "state"], [(check.name, check.verdict, check.state) for check in found]
    )
    for check in found:
        if check.remedy:
            console.line(f"{check.name}: {check.remedy}")
