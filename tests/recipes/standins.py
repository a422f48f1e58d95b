"""Programs that the images of scripts have and a bare Debian has not, as the scripts use them."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAMS = {
    # tar asks for it.
    "xz": f"""\
#!{sys.executable}
import lzma, shutil, sys
assert sys.argv[1:] == ["-d"], sys.argv
shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer)
""",
    # git, which is there, knows no fuzz.
    "patch": """\
#!/bin/sh
[ "$1 $3 $4" = "-d -p1 --fuzz=0" ] || { echo "patch $*"; exit 2; }
cd "$2" && GIT_DIR=/nonexistent exec git apply -p1 -
""",
}


def write_programs(folder: Path) -> None:
    """Put all of them into a folder that is there."""
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
