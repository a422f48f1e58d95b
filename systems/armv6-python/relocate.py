"""Makes an installed CPython tell of itself as if it had been made on a board.

What it was cross-compiled with (its compiler, folders, flags) does not exist there, and means
nothing to those who build extension modules with these values.

Usage: relocate.py ROOT BUILD LIBS
"""

from __future__ import annotations

import ast
import json
import pprint
import re
import sys
from pathlib import Path

_SOURCES = "/usr/src/python"  # nothing lies there


def relocated(text: str, build: str, libs: str) -> str:
    """A value or a text without what belongs to the build machine."""
    text = re.sub(r" *-s -Wl,--exclude-libs,\S+?(?=['\s]|$)", "", text)
    text = re.sub(r" *-ffile-prefix-map=\S+?(?=['\s]|$)", "", text)
    text = re.sub(rf" *(-DNO_MISALIGNED_ACCESSES|-[IL]{libs}(/[\w.]+)*)(?=['\s]|$)", "", text)
    text = re.sub(r"armv6-gcc|\barm-linux-gnueabihf-(?=(ar|ranlib|readelf)\b)", _tool, text)
    return text.replace(f"{build}/python", _SOURCES).replace("../tree", ".").replace(libs, "/usr")


def _relocated_values(values: dict[str, object], build: str, libs: str) -> dict[str, object]:
    return {
        key: relocated(value, build, libs) if isinstance(value, str) else value
        for key, value in values.items()
    }


def _tool(match: re.Match[str]) -> str:
    return "gcc" if match[0] == "armv6-gcc" else ""


def main() -> None:
    """See above."""
    root, build, libs = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    (library,) = (root / "usr/lib").glob("python*")
    for path in library.glob("_sysconfigdata*.py"):
        (assignment,) = ast.parse(path.read_text()).body
        assert isinstance(assignment, ast.Assign)
        values = _relocated_values(ast.literal_eval(assignment.value), build, libs)
        path.write_text(f"build_time_vars = {pprint.pformat(values, width=100)}\n")
    for path in library.glob("_sysconfig_vars*.json"):  # the same for others to read, from 3.14 on
        values = _relocated_values(json.loads(path.read_text()), build, libs)
        path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
    texts = [*library.glob("config*/Makefile"), *library.glob("config*/python-config.py")]
    texts += [path for path in (root / "usr/bin").glob("*-config") if not path.is_symlink()]
    texts += [path for path in (root / "usr/lib/pkgconfig").glob("*.pc") if not path.is_symlink()]
    for path in texts:
        path.write_text(relocated(path.read_text(), build, libs))


if __name__ == "__main__":
    main()
