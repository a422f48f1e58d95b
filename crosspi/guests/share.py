"""Makes of static archives the one shared library of a wheel's modules.

`share.py NEEDS LIBRARY FILE OUT NAME...` links all of `NEEDS/LIBRARY/lib/libNAME.a`, and of the
other libraries' archives what these ask for, to `OUT/FILE`; `-lNAME` finds it in OUT. It is alone
in a build container: standard library only.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: The C library's own, where they are asked for: they are apart before glibc 2.34.
_SYSTEM = ("-Wl,--as-needed", "-lm", "-ldl", "-lpthread")


def main(needs: Path, library: str, file: str, out: Path, names: list[str]) -> int:
    """Link it; returns the exit code."""
    folder = needs / library / "lib"
    whole = [folder / f"lib{name}.a" for name in names]
    missing = [path.name for path in whole if not path.is_file()]
    if missing:
        there = " ".join(sorted(path.name for path in folder.glob("*.a"))) or "no archive"
        print(f"shared: {library} has no {', '.join(missing)}; there is: {there}")
        return 1
    others = [path for path in sorted(needs.glob("*/lib/*.a")) if path.parent != folder]
    out.mkdir(parents=True, exist_ok=True)
    linked = subprocess.run(
        [
            *("cross-cc", "-shared", "-o", str(out / file)),
            # The loader takes a library of the same name for this one: other wheels have theirs.
            *(f"-Wl,-soname,{file}", "-Wl,-z,defs"),
            *("-Wl,--whole-archive", *map(str, whole), "-Wl,--no-whole-archive"),
            *map(str, others),
            *_SYSTEM,
        ],
        check=False,
    )
    if linked.returncode == 0:
        for name in names:
            (out / f"lib{name}.so").symlink_to(file)
    return linked.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5:]))
