"""Links the programs that test a library, as anybody would: `link_programs.py SOURCES PREFIX OUT`.

It is alone in a build container: standard library only. Each C or C++ file of SOURCES becomes a
program in OUT, compiled by the cross compiler with what pkg-config says of all that PREFIX has.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

COMPILERS = {".c": "cross-cc", ".cc": "cross-c++", ".cpp": "cross-c++"}


def flags(prefix: Path) -> list[str]:
    """How to compile and link with all packages of a prefix, statically where it can be."""
    packages = sorted(path.stem for path in prefix.glob("*/pkgconfig/*.pc"))
    if not packages:
        raise SystemExit(f"there is no file of pkg-config in {prefix}/lib/pkgconfig: who links it?")
    command = ["pkg-config", "--static", "--cflags", "--libs", *packages]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return shlex.split(said)


def main(sources: Path, prefix: Path, out: Path) -> int:
    """Link all; returns the exit code."""
    found = [path for path in sorted(sources.iterdir()) if path.suffix in COMPILERS]
    for source in found:
        program = out / source.stem
        compiler = [COMPILERS[source.suffix], "-O2", "-Wall", str(source), "-o", str(program)]
        command = [*compiler, *flags(prefix)]
        print("+", shlex.join(command), flush=True)
        if code := subprocess.run(command).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
