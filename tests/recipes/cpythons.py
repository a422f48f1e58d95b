"""What each version of CPython knows, as data, and stand-ins for its sources and its tools.

The sources of most versions are at python.org alone, so the scripts of `armv6-python` and
`build-python` run here for real, and everything that they call is a stand-in that knows only what
the version knows. Each fact names the file of CPython that says it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Mapping
from pathlib import Path

from standins import write_programs

SYSTEMS = Path(__file__).parents[2] / "systems"
STAGES = Path(__file__).parents[2] / "dockerfiles" / "armv6" / "stages.sh"
T = "arm-linux-gnueabihf"

Version = tuple[int, int]
ALWAYS = ((2, 7), None)
#: Options of `configure`: the first version that has it, and the first that no longer has it.
#: Source: configure.ac (AC_ARG_WITH, AC_ARG_ENABLE), Doc/using/configure.rst, Misc/NEWS.
CONFIGURE: Mapping[str, tuple[Version, Version | None]] = {
    "--host": ALWAYS,
    "--build": ALWAYS,
    "--prefix": ALWAYS,
    "--enable-ipv6": ALWAYS,
    "--with-computed-gotos": ALWAYS,
    "--with-ensurepip": ALWAYS,  # 2.7.9
    "--enable-loadable-sqlite-extensions": ALWAYS,  # bpo-6729
    "--enable-unicode": ((2, 7), (3, 3)),  # PEP 393
    "--with-system-ffi": ((2, 7), (3, 12)),  # gh-100540
    "--with-openssl": ((3, 7), None),  # bpo-32598
    "--with-ssl-default-suites": ((3, 7), None),  # bpo-31429
    "--without-static-libpython": ((3, 10), None),  # bpo-43103
    "--disable-test-modules": ((3, 10), None),  # bpo-27640
    "--with-build-python": ((3, 11), None),  # bpo-45886
}
#: Modules/makesetup: words of Modules/Setup.local between asterisks. Others are "bad words".
SETUP_WORDS: Mapping[str, Version] = {
    "*static*": (2, 7),
    "*shared*": (2, 7),
    "*disabled*": (3, 7),  # bpo-17045
}
#: Questions that `configure` answers by running a program, or by looking at this machine: without
#: an answer in config.site a cross-build ends there (configure.ac: AC_CHECK_FILE; "You must get
#: working getaddrinfo() function").
ANSWERS = ("ac_cv_file__dev_ptmx", "ac_cv_file__dev_ptc", "ac_cv_buggy_getaddrinfo")


def number(version: str) -> Version:
    """3.10 as (3, 10)."""
    major, minor = version.split(".")
    return int(major), int(minor)


def abiflags(version: str) -> str:
    """The letters behind a version (configure.ac; the m is gone with bpo-36707)."""
    return "m" if (3, 4) <= number(version) < (3, 8) else ""


def sysconfigdata(version: str) -> str:
    """The module's name (Lib/sysconfig.py, _get_sysconfigdata_name; Makefile.pre.in)."""
    if number(version) < (3, 6):
        return "_sysconfigdata"
    return f"_sysconfigdata_{abiflags(version)}_linux_{T}"


def soabi(version: str) -> str:
    """Of extension modules; the platform is in it from 3.5 on (configure.ac, bpo-22980)."""
    tag = f"cpython-{version.replace('.', '')}{abiflags(version)}"
    return f"{tag}-{T}" if number(version) >= (3, 5) else tag


def setup_condition(version: str) -> str:
    """What setup.py's detect_modules asks before it adds the prefix's folders; see bpo-28444."""
    return {
        "2.7": "if os.path.normpath(sys.prefix) != '/usr' \\\n",
        "3.4": "if os.path.normpath(sys.base_prefix) != '/usr' \\\n",
        "3.5": "if os.path.normpath(sys.base_prefix) != '/usr' \\\n",
    }.get(version, "if (not CROSS_COMPILING and os.path.normpath(sys.base_prefix) != '/usr'\n")


def before(patch: Path) -> str:
    """The piece of the file that a patch with one hunk wants to find."""
    hunk = patch.read_text(encoding="utf-8").split("\n@@", 1)[1].split("\n")[1:-1]
    return "".join(f"{line[1:]}\n" for line in hunk if not line.startswith("+"))


def make_sources(folder: Path, version: str, archive: bool) -> None:
    """CPython's sources, as far as the scripts look at them; as an archive, or as a tree."""
    name = f"Python-{version}.0"
    tree = folder.parent / name
    files = {
        "Lib/os.py": "",
        "Lib/test/test_it.py": "",
        "Lib/ctypes/test/test_it.py": "",
        "Lib/json/tests/test_it.py": "",
        "Python/pystate.c": "/* before */\n",
        "Include/graminit.h": "",
        "Objects/typeslots.inc": "",
        "configure": f'#!/bin/sh\nexec {sys.executable} {__file__} configure {version} "$@"\n',
    }
    if number(version) < (3, 12):
        files["setup.py"] = f"        {setup_condition(version)}"
    for patches in (SYSTEMS / "armv6-python" / "patches").iterdir():
        if version in patches.name.split(","):
            for patch in patches.iterdir():
                files["Python/pystate.c"] += before(patch)
    make_files(tree, files)
    (tree / "configure").chmod(0o755)
    make_wheel(tree / "Lib" / "ensurepip" / "_bundled" / "pip-1.0-py3-none-any.whl")
    if archive:
        folder.mkdir(parents=True)
        with tarfile.open(folder / f"{name}.tar.xz", "w:xz") as made:
            made.add(tree, arcname=name)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tree.rename(folder)


def make_wheel(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("pip/__main__.py", "print('pip')\n")
        wheel.writestr("pip/for_another_python.py", "print 'a' if else\n")
        wheel.writestr("pip-1.0.dist-info/METADATA", "Name: pip\n")


def make_files(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make_tools(folder: Path, version: str, pythons: bool) -> None:
    """`make`; and the Pythons that come first in PATH where a Python of this version is there."""
    folder.mkdir(parents=True)
    write_programs(folder)
    for name in ("make", *((f"python{version}", "python3", "python") if pythons else ())):
        tool = "make" if name == "make" else "python"
        line = f'exec {sys.executable} {__file__} {tool} {version} "$@"\n'
        (folder / name).write_text("#!/bin/sh\n" + line, encoding="utf-8")
        (folder / name).chmod(0o755)


# --- the stand-ins themselves: programs, which end the script as the real ones would -------------


def record(tool: str, arguments: list[str]) -> None:
    with Path(os.environ["BUILD"], "calls.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps([tool, *arguments]) + "\n")


def configure(version: str, arguments: list[str]) -> None:
    """Writes what the others need to know; an unknown option is an error here."""
    for argument in arguments:
        first, last = CONFIGURE.get(argument.split("=")[0], ((9, 9), None))
        if not first <= number(version) < (last or (9, 9)):
            sys.exit(f"configure: error: unrecognized option of {version}: {argument}")
    # Makefile.pre.in: until `make regen-all` (bpo-23404: 2.7.14, 3.5.4), it would write these anew.
    if version == "3.4" and not Path("Include/graminit.h").is_file():
        sys.exit("make: error: Parser/pgen is a program for ARMv6")
    make_files(Path(), {"Makefile": "", "Modules/Setup.local": "# Edit this file\n"})


def makesetup(version: str) -> None:
    """Reads Modules/Setup.local, by this version's rules."""
    text = Path("Modules/Setup.local").read_text(encoding="utf-8")
    for word in re.sub(r"#.*", "", text).split():
        if not re.fullmatch(r"[a-zA-Z_]\w*", word) and number(version) < SETUP_WORDS[word]:
            sys.exit(f"bad word {word} in {text.splitlines()[0]}")


def make(version: str, arguments: list[str]) -> None:
    """Builds nothing; installs what this version installs."""
    makesetup(version)
    variables = {
        "prefix": "/usr",
        "VERSION": version,
        "ABIFLAGS": abiflags(version),
        "SOABI": soabi(version),
        "EXT_SUFFIX": f".{soabi(version)}.so",
        "CC": "armv6-gcc",
    }
    data = f"build_time_vars = {variables!r}\n"
    name = sysconfigdata(version)
    make_files(Path(), {"pybuilddir.txt": "build/lib", f"build/lib/{name}.py": data})
    if "install" not in arguments:
        return
    crossing = bool(os.environ.get("CONFIG_SITE"))
    overridden = any(argument.startswith("PYTHON_FOR_BUILD=") for argument in arguments)
    if crossing and not soabi(version).endswith(T) and not overridden:
        sys.exit("setup.py: error: a module for ARMv6 was imported here")
    (destination,) = [a[len("DESTDIR=") :] for a in arguments if a.startswith("DESTDIR=")]
    prefix = "usr" if crossing else "build-python"
    library = f"lib/python{version}"
    files = {
        f"{library}/os.py": "",
        f"{library}/json/__init__.py": "",
        f"{library}/site-packages/README.txt": "",
        f"{library}/{name}.py": data,
        f"{library}/config-{version}{abiflags(version)}-{T}/Makefile": "CC= armv6-gcc\n",
        f"bin/python{version}": "",
        f"bin/python{version}-config": "CC= armv6-gcc\n",
        f"include/python{version}{abiflags(version)}/Python.h": "",
        f"include/python{version}{abiflags(version)}/patchlevel.h": textwrap.dedent(
            f"""\
            #define PY_MAJOR_VERSION {number(version)[0]}
            #define PY_MINOR_VERSION {number(version)[1]}
            """
        ),
    }
    if number(version) >= (3, 14):  # Lib/sysconfig/__main__.py
        files[f"{library}/{name.replace('data', '_vars')}.json"] = json.dumps(variables)
    root = Path(destination, prefix)
    make_files(root, files)
    make_wheel(root / library / "ensurepip" / "_bundled" / "pip-1.0-py3-none-any.whl")


def python(version: str, arguments: list[str]) -> None:
    """The Python under construction: runs bytecode.py, and nothing that asks for more of it."""
    if not arguments or Path(arguments[0]).name != "bytecode.py":
        sys.exit(f"Python {version} cannot be trusted with {arguments}")
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    record(sys.argv[1], sys.argv[3:])
    {"configure": configure, "make": make, "python": python}[sys.argv[1]](sys.argv[2], sys.argv[3:])
