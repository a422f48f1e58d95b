"""An installed CPython tells nothing of the machine that made it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "systems" / "armv6-python" / "relocate.py"


def test_nothing_of_the_build_machine_is_left(tmp_path: Path) -> None:
    library = tmp_path / "usr" / "lib" / "python3.9"
    (library / "config-3.9").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "pkgconfig").mkdir()
    (tmp_path / "usr" / "bin").mkdir()
    values = {
        "CC": "armv6-gcc -pthread",
        "AR": "arm-linux-gnueabihf-ar",
        "CFLAGS": "-O3 -g0 -ffile-prefix-map=/work/tree/=./ -DNO_MISALIGNED_ACCESSES -Wall",
        "LDFLAGS": "-L/libs/lib -s -Wl,--exclude-libs,libz.a:libssl.a",
        "abs_builddir": "/work/python",
        "srcdir": "../tree",
        "SIZEOF_LONG": 4,
        "SOABI": "cpython-39-arm-linux-gnueabihf",
    }
    (library / "_sysconfigdata__linux_arm.py").write_text(f"build_time_vars = {values!r}\n")
    for path in (library / "config-3.9" / "Makefile", tmp_path / "usr/bin/python3.9-config"):
        path.write_text("CC= armv6-gcc\nINCLUDE= -I/libs/include -I/libs/include/ncursesw -Ix\n")
    subprocess.run([sys.executable, SCRIPT, tmp_path, "/work", "/libs"], check=True)
    text = (library / "_sysconfigdata__linux_arm.py").read_text()
    found = ast.literal_eval(text.removeprefix("build_time_vars = "))
    assert found == {
        "CC": "gcc -pthread",
        "AR": "ar",
        "CFLAGS": "-O3 -g0 -Wall",
        "LDFLAGS": "",
        "abs_builddir": "/usr/src/python",
        "srcdir": ".",
        "SIZEOF_LONG": 4,
        "SOABI": "cpython-39-arm-linux-gnueabihf",
    }
    for path in (library / "config-3.9" / "Makefile", tmp_path / "usr/bin/python3.9-config"):
        assert path.read_text() == "CC= gcc\nINCLUDE= -Ix\n"
