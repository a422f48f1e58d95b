"""Target Pythons: the image in which tests run, and what a build must know of the interpreter."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crosspi.containers.engine import Engine
from crosspi.containers.images import Image
from crosspi.containers.rooms import ROOM, room
from crosspi.data.targets import Cell, PackagedPython
from crosspi.errors import DataError
from crosspi.sources.cache import SourceCache
from crosspi.steps.image import image_step
from crosspi.work.plan import Step, Workspace

#: Where an image of `dockerfiles/*-python` keeps what this module reads.
IN_IMAGE = "/opt/crosspi/python"


def image_name(cell: Cell) -> str:
    """The name of the image with a cell's interpreter and pip: the board, for tests."""
    return f"python-{cell.identifier}"


def packaged_image(
    cell: Cell,
    data: PackagedPython,
    dockerfiles: Path,
    engine: Callable[[], Engine],
    sources: SourceCache,
) -> Image:
    """The image of a Python that a distribution has."""
    return image_step(
        image_name(cell),
        dockerfiles / data.image,
        engine,
        suite=data.suite,
        architecture=data.architecture,
        arguments={
            "VERSION": cell.python.version,
            "QEMU_CPU": cell.toolchain.oldest.cpu,
        },
        wheels={},
        sources=sources,
    )


def python_step(cell: Cell, image: Image, engine: Callable[[], Engine]) -> Step:
    """The step that takes headers and configuration out of the image.

    Its result: `include/`, `meson-info.json` (Meson's introspection of the target's Python), and
    `python.json` (the values of the recipes' `{python:…}` placeholders).
    """

    def act(work: Workspace) -> None:
        # The interpreter's own name there is a link, which means a file of the image.
        engine().copy_out(image.tag, {IN_IMAGE: "python"}, work.out, without=["python"])
        folder = work.out / "python"
        for name in ("include", "sysconfigdata.py", "pip-version"):
            if not (folder / name).exists():
                raise DataError(
                    f"the image of the Python {cell.identifier} has no {IN_IMAGE}/{name}",
                    where=image.tag,
                    fix="correct what makes the image: see toolchains/pythons.yaml",
                )
            (folder / name).rename(work.out / name)
        shutil.rmtree(folder)
        without_crypt(work.out / "include")
        variables = read_sysconfigdata(work.out / "sysconfigdata.py")
        check_version(variables, work.out / "include", cell)
        _write(work.out / "meson-info.json", meson_info(variables, cell))
        _write(work.out / "python.json", python_values(variables, cell))
        work.notes["pip"] = (work.out / "pip-version").read_text(encoding="utf-8").strip()

    return Step(
        "python",
        cell.identifier,
        {
            "cell": cell.wheel_tag,
            ROOM: room(image, {}, Path(__file__)),
        },
        (image.step,),
        act,
    )


def without_crypt(include: Path) -> None:
    """Let headers that include crypt.h do without it.

    Python.h of 3.7 to 3.10 includes it where `pyconfig.h` says that it is there, for the use of
    CPython's own code. It belongs to libcrypt, not to the C library, and the cross compiler has
    none (nor do modules use it).
    """
    for path in include.rglob("pyconfig*.h"):
        text = path.read_text(encoding="utf-8")
        path.chmod(0o644)
        path.write_text(text.replace("#define HAVE_CRYPT_H 1\n", ""), encoding="utf-8")


def read_sysconfigdata(path: Path) -> dict[str, Any]:
    """The `build_time_vars` of a `_sysconfigdata` module; it is read, not run.

    Raises:
        DataError: it is not such a module.
    """
    try:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in (
                "build_time_vars",
            ):
                values: dict[str, Any] = ast.literal_eval(node.value)
                return values
    except (SyntaxError, ValueError) as error:
        raise DataError("cannot read the target's sysconfigdata", where=str(path)) from error
    raise DataError("the target's sysconfigdata sets no build_time_vars", where=str(path))


def check_version(variables: Mapping[str, Any], include: Path, cell: Cell) -> None:
    """Interpreter and headers must be of the cell's version.

    Raises:
        DataError: they differ.
    """
    wanted = cell.python.version
    found = str(variables.get("VERSION"))
    headers = include / f"python{wanted}"
    told = header_version(headers)
    if found != wanted or not (headers / "Python.h").is_file() or told not in ("", wanted):
        names = ", ".join(sorted(p.name for p in include.iterdir())) or "nothing"
        if told not in ("", wanted):
            names += f", whose patchlevel.h says {told}"
        raise DataError(
            f"the interpreter for {cell.identifier} and its headers are not both {wanted}",
            where=f"interpreter: {found}; headers: {names}",
            why="the image mixes packages of two Python versions",
            fix="correct the entry of this Python in toolchains/pythons.yaml",
        )


def header_version(headers: Path) -> str:
    """The minor version, like 3.9, that a folder of headers is of; empty where it does not say."""
    try:
        text = (headers / "patchlevel.h").read_text(encoding="utf-8")
    except OSError:
        return ""
    numbers = [re.search(rf"#define\s+PY_{n}_VERSION\s+(\d+)", text) for n in ("MAJOR", "MINOR")]
    return ".".join(number[1] for number in numbers if number)


def python_values(variables: Mapping[str, Any], cell: Cell) -> dict[str, str]:
    """The values of `{python:…}`, with folders as a build container sees them."""
    version = cell.python.version
    return {
        "version": version,
        "tag": cell.python.data.tag,
        "ext_suffix": str(variables.get("EXT_SUFFIX") or variables.get("SO") or ".so"),
        "include": f"/python/include/python{version}",
    }


def meson_info(variables: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """What Meson's `python_info.py` would print if it ran on the target.

    Source: mesonbuild/scripts/python_info.py. The compiler's include folders come in through
    `paths`, so they are those of the build container.
    """
    version = cell.python.version
    include = f"/python/include/python{version}"
    library = f"lib/python{version}"

    def paths(base: str) -> dict[str, str]:
        return {
            "stdlib": f"{base}/{library}",
            "platstdlib": f"{base}/{library}",
            "purelib": f"{base}/{library}/site-packages",
            "platlib": f"{base}/{library}/site-packages",
            "include": include,
            "platinclude": include,
            "scripts": f"{base}/bin",
            "data": base,
        }

    prefixes = ("base", "platbase", "installed_base", "installed_platbase", "prefix")
    return {
        "variables": {
            **variables,
            **dict.fromkeys((*prefixes, "exec_prefix", "base_prefix"), "/usr"),
            "INCLUDEPY": include,
            "CONFINCLUDEPY": include,
            "py_version_short": version,
            "py_version_nodot": version.replace(".", ""),
        },
        "paths": paths("/usr"),
        "sysconfig_paths": paths("/usr"),
        "install_paths": paths(""),
        "version": version,
        "platform": cell.toolchain.data.host_platform,
        "is_pypy": False,
        "is_venv": False,
        "is_freethreaded": bool(variables.get("Py_GIL_DISABLED")),
        "link_libpython": False,
        "suffix": str(variables.get("EXT_SUFFIX") or ".so"),
        "limited_api_suffix": ".abi3.so",
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
