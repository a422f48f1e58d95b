"""What a build step does, inside its container: `run_commands.py COMMANDS.json`.

It is alone there: standard library only. The file holds `commands` and `usage`. A command is one of

    {"argv": [...], "cwd": DIR, "environment": {...}}   run a program, without a shell
    {"copy": PATH, "to": PATH}                          copy a file or folder
    {"text": TEXT, "to": PATH, "executable": bool}      write a file
    {"unpack": PATTERN, "to": DIR}                      unpack the one wheel that matches
    {"strip": DIR}                                      strip every ELF file below a folder

The first that fails ends the step. Processor time, ccache's hits, and the flags that the compiler
wrapper changed go to the file `usage`.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

STRIP = ("arm-linux-gnueabihf-strip", "--strip-all", "--enable-deterministic-archives")


def call(command: dict[str, Any]) -> None:
    """Run a program."""
    subprocess.run(
        command["argv"],
        cwd=command.get("cwd", "/work"),
        env={**os.environ, **command.get("environment", {})},
        check=True,
    )


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


ACTIONS = {"argv": call, "copy": copy, "text": write, "unpack": unpack, "strip": strip}


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
