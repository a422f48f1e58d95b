"""Makes the lists of symbols in `data/` from Debian's armhf packages.

    python -m crosspi.audit.extract FOLDER libc6_….deb libstdc++6_….deb libgcc-s1_….deb …

For each library that the law knows (`LIBRARIES`), FOLDER gets a file of its name: the versions in
brackets, below each the symbols that have it. Symbols are never taken out of these libraries, and
their version says since when they are there: the list of a new system serves older ones too, as
far as the libraries were divided the same way (glibc 2.34 moved libpthread, libdl, librt and
libutil into libc). Needs `dpkg-deb`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from crosspi.audit.elf.file import Elf

LIBRARIES = (
    "ld-linux-armhf.so.3",
    "libatomic.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
)


def listing(data: bytes, package: str) -> str:
    """What a library exports, by version."""
    found: dict[str, set[str]] = {}
    for symbol in Elf(data).references():
        if symbol.defined and symbol.version != "GLIBC_PRIVATE":
            found.setdefault(symbol.version, set()).add(symbol.name)
    lines = [f"# of {package}"]
    for version in sorted(found):
        lines += [f"[{version}]", *sorted(found[version] - {version})]
    return "\n".join(lines) + "\n"


def extract(package: Path, folder: Path) -> None:
    """Writes the lists of a package's libraries."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["dpkg-deb", "-x", package, scratch], check=True)
        for name in LIBRARIES:
            for path in Path(scratch).rglob(name):
                if "arm-linux-gnueabihf" in path.parts and path.exists():
                    text = listing(path.read_bytes(), package.name)
                    (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        extract(Path(argument), Path(sys.argv[1]))
