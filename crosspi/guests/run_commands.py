"""What a build step does, inside its container: `run_commands.py COMMANDS.json`.

It is alone there: standard library only. The file holds `commands` and `usage`. A command is one of

    {"argv": [...], "cwd": DIR, "environment": {...}}   run a program, without a shell
    {"copy": PATH, "to": PATH}                          copy a file or folder
    {"text": TEXT, "to": PATH, "executable": bool}      write a file
    {"unpack": PATTERN, "to": DIR}                      unpack the one wheel that matches
    {"strip": DIR}                                      strip every ELF file below a folder
    {"pack": DIR, "info": NAME, "to": PATH}             make a wheel of a folder (PEP 427)

The first that fails ends the step. A program that says nothing for a while is spoken for, so that
nobody takes it for dead: a line that begins with `…` says what runs and what it used. Processor
time, ccache's hits, and the flags that the compiler wrapper changed go to the file `usage`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import resource
import select
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

#: The earliest time that a zip file can hold: a wheel's bytes must not depend on the clock.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
#: Seconds of silence after which a program is spoken for, and between two looks at it.
SILENCE, TICK = 15.0, 0.5
SOURCES = (".c", ".cc", ".cpp", ".cxx", ".S", ".s", ".zig", ".f", ".pyx", ".py")
STRIP = ("arm-linux-gnueabihf-strip", "--strip-all", "--enable-deterministic-archives")


def call(command: dict[str, Any]) -> None:
    """Run a program."""
    process = subprocess.Popen(
        command["argv"],
        cwd=command.get("cwd", "/work"),
        env={**os.environ, **command.get("environment", {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    with process.stdout as output:
        follow(process, output.fileno())
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command["argv"])


def follow(process: subprocess.Popen[bytes], output: int) -> None:
    """Copy what a program prints, as it comes, until it ends; what it leaves running may go on."""
    spoken = time.monotonic()
    while True:
        # Looked at before the output: what was printed before the end is there then.
        ended = process.poll() is not None
        if select.select([output], [], [], 0 if ended else TICK)[0]:
            data = os.read(output, 1 << 16)
            if not data:
                return
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            spoken = time.monotonic()
        elif ended:
            return
        elif time.monotonic() - spoken >= SILENCE:
            print(f"… {sign_of_life()}", flush=True)
            spoken = time.monotonic()


def sign_of_life() -> str:
    """What runs here, the busiest first, and how much processor time was used so far."""
    total, busiest, name = 0.0, -1.0, ""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name of the program stands in brackets, and may hold some itself.
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            argv = (folder / "cmdline").read_text(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        own, waited_for = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        total += own + waited_for
        # It runs, or waits for the disk; a shell that waits for its children does neither.
        if fields[0] in "RD" and int(folder.name) != os.getpid() and own > busiest:
            busiest, name = own, told(argv)
    seconds = total / os.sysconf("SC_CLK_TCK")
    return f"{seconds:.0f} s of processor time so far" + (f": {name}" if name else "")


def told(argv: list[str]) -> str:
    """A command in short: the program, and the last file that it reads."""
    inputs = [word for word in argv[1:] if word.endswith(SOURCES)]
    return " ".join([Path(argv[0]).name, *(Path(word).name for word in inputs[-1:])])


def copy(command: dict[str, Any]) -> None:
    """Copy a file or folder; into a folder where the target ends with a slash."""
    source, target = Path(command["copy"]), Path(command["to"])
    if command["to"].endswith("/"):
        target /= source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
    subprocess.run(["chmod", "-R", "u+w", str(target)], check=True)


def write(command: dict[str, Any]) -> None:
    """Write a file."""
    target = Path(command["to"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(command["text"], encoding="utf-8")
    if command.get("executable"):
        target.chmod(0o755)


def unpack(command: dict[str, Any]) -> None:
    """Unpack a wheel."""
    pattern = Path(command["unpack"])
    found = list(pattern.parent.glob(pattern.name))
    if len(found) != 1:
        raise FileNotFoundError(f"one wheel expected at {pattern}, found {len(found)}")
    with zipfile.ZipFile(found[0]) as wheel:
        wheel.extractall(command["to"])


def strip(command: dict[str, Any]) -> None:
    """Strip every ELF file below a folder."""
    for path in sorted(Path(command["strip"]).rglob("*")):
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF":
            subprocess.run([*STRIP, str(path)], check=True)


def pack(command: dict[str, Any]) -> None:
    """Make a wheel of a folder: RECORD, and the same bytes whatever the clock and the modes are.

    Here and not on the host: what a compressor makes of the same bytes differs with its version.
    """
    tree, info = Path(command["pack"]), command["info"]
    record = f"{info}/RECORD"
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    with zipfile.ZipFile(command["to"], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for member, file in members(tree, info):
            data = file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            writer.writerow([member, f"sha256={digest.decode()}", len(data)])
            add(archive, member, data, executable=bool(file.stat().st_mode & 0o100))
        writer.writerow([record, "", ""])
        add(archive, record, rows.getvalue().encode(), executable=False)


def members(tree: Path, info: str) -> list[tuple[str, Path]]:
    """The files of a wheel in their order: sorted, `.dist-info` last as PEP 427 recommends."""
    files = [
        (path.relative_to(tree).as_posix(), path)
        for path in tree.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return sorted(files, key=lambda item: (item[0].startswith(info), item[0]))


def add(archive: zipfile.ZipFile, member: str, data: bytes, *, executable: bool) -> None:
    """Write a member that knows no time and no owner."""
    info = zipfile.ZipInfo(member, ZIP_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    archive.writestr(info, data)


ACTIONS = {
    "argv": call,
    "copy": copy,
    "text": write,
    "unpack": unpack,
    "strip": strip,
    "pack": pack,
}


def counted(variable: str) -> Counter[str]:
    """How often each line stands in the file that a variable names."""
    path = Path(os.environ.get(variable, ""))
    if not path.is_file():
        return Counter()
    return Counter(line.strip() for line in path.read_text(encoding="utf-8").splitlines())


def main(job: dict[str, Any]) -> int:
    """Run all commands; returns the exit code."""
    status = 0
    try:
        for command in job["commands"]:
            kind = next(key for key in ACTIONS if key in command)
            what = shlex.join(command["argv"]) if kind == "argv" else command.get("to", "")
            print(f"+ {kind} {what}".replace("+ argv", "+"), flush=True)
            ACTIONS[kind](command)
    except subprocess.CalledProcessError as error:
        print(f"FAILED with exit code {error.returncode}: {shlex.join(error.cmd)}", flush=True)
        status = 1
    except (OSError, zipfile.BadZipFile) as error:
        print(f"FAILED: {error}", flush=True)
        status = 1
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ccache = counted("CCACHE_STATSLOG")
    usage = {
        "cpu": used.ru_utime + used.ru_stime,
        "ccache_hits": ccache["direct_cache_hit"] + ccache["preprocessed_cache_hit"],
        "ccache_misses": ccache["cache_miss"],
        "dropped_flags": counted("CROSSPI_DROPPED_FLAGS"),
    }
    Path(job["usage"]).write_text(json.dumps(usage), encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
