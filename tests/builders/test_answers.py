"""What the Python that runs a build answers for the target's, really asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from making import make_cell

from crosspi.builders.answers import ANSWERS, answers, environment_of

SYSCONFIGDATA = """\
build_time_vars = {"CC": "gcc", "EXT_SUFFIX": ".cpython-311-arm-linux-gnueabihf.so",
                   "SIZEOF_SIZE_T": 4, "INCLUDEPY": "/usr/include/python3.11", "OPT": "-g"}
"""
ASK = """
import json, sys, sysconfig
names = ("CC", "EXT_SUFFIX", "INCLUDEPY", "CONFINCLUDEPY", "OPT")
values = {name: sysconfig.get_config_var(name) for name in names}
print(json.dumps([values, sysconfig.get_platform(), sys.maxsize, said]))
"""


def test_a_build_is_answered_for_the_target(tmp_path: Path) -> None:
    """Found by wrapt: setuptools compiled it with the headers of the build machine."""
    (tmp_path / "sysconfigdata.py").write_text(SYSCONFIGDATA)
    for command in answers("/python/include", "import builtins; builtins.said = 'more'"):
        text = command["text"].replace(
            "/python/sysconfigdata.py", str(tmp_path / "sysconfigdata.py")
        )
        (tmp_path / Path(command["to"]).name).write_text(text)
        assert Path(command["to"]).parent == Path(ANSWERS)
    toolchain = make_cell(tmp_path / "cell").toolchain
    environment = {**os.environ, **environment_of(toolchain), "PYTHONPATH": str(tmp_path)}
    command_line = [sys.executable, "-W", "ignore", "-c", ASK]
    out = subprocess.run(command_line, env=environment, capture_output=True, text=True, check=True)
    values, platform, maxsize, said = json.loads(out.stdout)
    assert values == {
        "CC": "cross-cc",
        "EXT_SUFFIX": ".cpython-311-arm-linux-gnueabihf.so",
        "INCLUDEPY": "/python/include",
        "CONFINCLUDEPY": "/python/include",
        "OPT": "",
    }
    assert platform == toolchain.data.host_platform
    assert maxsize == 2**31 - 1
    assert said == "more"


def configured(text: str, root: Path) -> dict[str, object]:
    """The variables that a configuration gives, with `root`'s files for the container's."""
    text = text.replace("/python/sysconfigdata.py", str(root / "sysconfigdata.py"))
    found: dict[str, dict[str, object]] = {}
    exec(text.replace("/need/", f"{root}/need/"), found)
    return found["build_time_vars"]


def test_a_module_is_linked_with_all_that_its_libraries_need(tmp_path: Path) -> None:
    """Pillow names libfreetype, and not libpng, which that needs; it looked into /usr/include."""
    (tmp_path / "sysconfigdata.py").write_text(SYSCONFIGDATA)
    needs = tmp_path / "need"
    archives = [needs / "freetype/lib/libfreetype.a", needs / "libpng/lib/libpng16.a"]
    for path in (*archives, needs / "libpng/lib/pkgconfig/libpng16.pc"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    values = {}
    for linked in (False, True):
        configuration, starts = (c["text"] for c in answers("/python/include", linked=linked))
        assert ('sys.prefix = sys.exec_prefix = "/python"' in starts) == linked
        values[linked] = configured(configuration, tmp_path)
    assert values[False]["LDSHARED"] == "cross-cc -shared -lm"
    assert "INCLUDEDIR" not in values[False]
    linked_with = " ".join(map(str, archives))
    assert values[True]["LDSHARED"] == f"cross-cc -shared -lm {linked_with}"
    assert values[True]["LDCXXSHARED"] == f"cross-c++ -shared -lm {linked_with}"
    assert values[True]["INCLUDEDIR"] == "/python/include"
    assert values[True]["LIBDIR"] == "/python/lib"


def test_modules_that_share_a_library_are_not_linked_with_its_archive(tmp_path: Path) -> None:
    (tmp_path / "sysconfigdata.py").write_text(SYSCONFIGDATA)
    needs = tmp_path / "need"
    for path in (needs / "hdf/lib/libhdf.a", needs / "zlib/lib/libz.a"):
        path.parent.mkdir(parents=True)
        path.touch()
    text = answers("/python/include", linked=True, shared=("hdf",))[0]["text"]
    assert configured(text, tmp_path)["LDSHARED"] == (
        f"cross-cc -shared -lm {needs}/zlib/lib/libz.a -L/work/shared -Wl,-rpath,$ORIGIN"
    )
