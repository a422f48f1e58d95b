"""Making a plain Debian root with mmdebstrap, where no image registry answers.

What it needs of this machine is asked here, by the build and by `doctor` alike.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from crosspi.containers.mirrors import machine_mirrors
from crosspi.errors import BuildError, CrosspiError, HostError, disk_full, tells_disk_full

#: Of a root for another architecture: twice its files, as a folder and as a tar file.
LEAST_ROOM = 10**9
#: Lines of mmdebstrap's that are shown with its error: the last that it marks as such.
_ERROR_LINES = 5
NO_ARCH_TEST = "arch-test is not installed"
SET_UP = "run ./inv (without --no-setup)"


def bootstrap(
    suite: str,
    architecture: str,
    archive: Path,
    *,
    log: Path,
    line: Callable[[str], None],
    missing: str = "",
    refusal: str = "",
) -> None:
    """Make the tar file of a minimal Debian.

    Args:
        suite, architecture: as Debian names them.
        archive: the tar file, in a folder that `scratch_folder` named.
        log: file that gets mmdebstrap's whole output.
        line: called with each line of it.
        missing: what to do where mmdebstrap is not there, beside installing it.
        refusal: why it is not pulled.

    Raises:
        HostError: this machine cannot do it.
        DiskFullError: no space left.
        BuildError: mmdebstrap failed otherwise.
    """
    if shutil.which("mmdebstrap") is None:
        raise HostError(
            "the base image cannot be pulled, and mmdebstrap is not installed",
            why=f"the engine says of debian:{suite}-slim: {refusal or 'nothing'}; it can be pulled "
            "or bootstrapped, nothing else",
            fix=f"install mmdebstrap (`./inv` does it on Debian){missing}",
        )
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--architectures={architecture}",
        suite,
        str(archive),
    ]
    # Only the suite itself: its point releases hold the security fixes, and a mirror whose
    # security index is out of step would otherwise stop everything.
    if mirror := machine_mirrors().main:
        command.append(f"deb {mirror} {suite} main")
    said: list[str] = []
    with log.open("a", encoding="utf-8") as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": str(archive.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        try:
            for text in process.stdout:
                out.write(text)
                line(text.rstrip())
                said.append(text.strip())
            code = process.wait()
        finally:
            process.kill()
    if code:
        raise _failure(suite, architecture, said, folder=archive.parent, log=log)


def _failure(
    suite: str, architecture: str, said: list[str], *, folder: Path, log: Path
) -> CrosspiError:
    """The error of a bootstrap that failed: in mmdebstrap's own words, and whose fault it is."""
    if tells_disk_full("\n".join(said)):
        return disk_full(f"making a Debian {suite} for {architecture}", where=str(folder))
    errors = [text for text in said if text.startswith("E:")] or said
    what = f"mmdebstrap could not make a Debian {suite} for {architecture}"
    where = f"mmdebstrap --architectures={architecture} {suite}"
    why = "\n".join(errors[-_ERROR_LINES:])
    if fault := cannot_run(architecture) or cannot_make_roots():
        return HostError(what, where=where, why=f"{why}\n{fault}", fix=f"{SET_UP}; log: {log}")
    return BuildError(
        what,
        where=where,
        why=why,
        fix=f"the Debian mirror of this machine's apt configuration may not answer; log: {log}",
    )


# --- what it needs of this machine ---------------------------------------------------------------


def cannot_run(architecture: str) -> str:
    """Why this machine does not run an architecture's programs, as mmdebstrap asks it; or ""."""
    if shutil.which("arch-test") is None:
        return NO_ARCH_TEST
    done = subprocess.run(["arch-test", architecture], capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    return f"arch-test says: {done.stdout.strip() or done.stderr.strip() or done.returncode}"


def cannot_make_roots(subids: Iterable[Path] = (Path("/etc/subuid"), Path("/etc/subgid"))) -> str:
    """Why this user may not make a root, or ""; as mmdebstrap asks it in its mode unshare."""
    if os.geteuid() == 0:
        return ""
    if shutil.which("newuidmap") is None or shutil.which("newgidmap") is None:
        return "newuidmap is not installed (package uidmap)"
    name = user_name()
    for path in subids:
        try:
            lines = path.read_text().splitlines()
        except OSError:
            lines = []
        if not any(text.startswith(f"{name}:") for text in lines):
            return f"{path} has no line for {name}"
    if subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode:
        return "the kernel lets no user but root make a user namespace"
    return ""


def user_name() -> str:
    """The name of the user, by the system's own list."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def scratch_candidates() -> list[Path]:
    """Where roots may be made, best first."""
    return [Path(tempfile.gettempdir()), Path("/var/tmp")]


def scratch_folder(candidates: Iterable[Path] | None = None) -> Path:
    """A folder for temporary files in which programs may run, with room for a root.

    A root's own programs run there, so a file system mounted noexec will not do. Every user must
    reach it: mmdebstrap works as others, unless it is root.

    Raises:
        HostError: none of them will do.
    """
    faults = []
    for folder in candidates or scratch_candidates():
        fault = lacks(folder)
        if not fault:
            return folder
        faults.append(fault)
    raise HostError(
        "there is no folder in which a Debian root can be made",
        why="\n".join(faults),
        fix="make room there, or name another by TMPDIR: not mounted noexec, open to every user",
    )


def lacks(folder: Path) -> str:
    """Why no root can be made in a folder, or ""."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return f"{folder}: {error.strerror}"
    if found.f_flag & os.ST_NOEXEC:
        return f"{folder} is mounted noexec"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written"
    room = found.f_bavail * found.f_frsize
    return f"{folder} has {room // 10**6} MB left" if room < LEAST_ROOM else ""
