"""Build backends of PEP 517: meson-python and setuptools.

The build runs on the build machine's Python; what it must know of the target's is answered from
the target's own `_sysconfigdata` (made by `pythons`): no emulator is involved.
"""

from __future__ import annotations

from crosspi.builders.answers import ANSWERS, answers, environment_of
from crosspi.builders.context import BuildContext, fill_tree, prepare_sources
from crosspi.builders.libraries import pkg_config_folders, prefixes
from crosspi.builders.shared import carry_commands, link_commands
from crosspi.containers.job import Command
from crosspi.data.recipe_data import Pep517Build, Scalar
from crosspi.places import BIN, CROSS_FILE, PYTHON, SOURCES, TREE, WORK

_TOOLS = f"{WORK}/tools"
_PROGRAMS = f"{WORK}/bin"
#: Meson asks "the target's Python" about itself with a script of this name: the answer is a file.
#: Everything else that a build runs with it is for the build machine.
_PYTHON_PROGRAM = f"""#!/bin/sh
case "$1" in
  */python_info.py) exec cat {PYTHON}/meson-info.json ;;
esac
exec python3 "$@"
"""
#: Meson compiles a trial for Cython, with the Python that pkg-config names.
_PKG_CONFIG = f"{WORK}/pkgconfig"
_PYTHON3_PC = """\
Name: Python
Description: the target's
Version: {version}
Cflags: -I{include}
"""
#: The version that a backend compares with `requires-python`: the wheel is for the target's.
_VERSION = 'import platform; platform.python_version = lambda: "{version}.0"'


def compile_commands(build: Pep517Build, context: BuildContext) -> list[Command]:
    """Nothing: backends see Python from the start."""
    del build, context
    return []


def python_commands(build: Pep517Build, context: BuildContext) -> list[Command]:
    """Install the tools, build the wheel, and unpack it into the tree."""
    assert context.cell is not None
    target = build.targets.get(context.toolchain.name)
    settings: dict[str, tuple[Scalar, ...]] = {}
    for source in (build.settings, target.settings if target else {}):
        for name, values in source.items():
            settings[name] = (*settings.get(name, ()), *values)
    environment = {
        **build.environment,
        **(target.environment if target else {}),
        "PYTHONPATH": ":".join((ANSWERS, *build.pythonpath, _TOOLS)),
        "PATH": f"{_PROGRAMS}:{_TOOLS}/bin:/opt/crosspi/bin:/usr/local/bin:/usr/bin:/bin",
        **environment_of(context.toolchain),
        "CC": "cross-cc",
        "CXX": "cross-c++",
        "AR": "cross-ar",
    }
    source_folder = context.source(build.source)
    return [
        *prepare_sources(context),
        {
            "argv": [
                *("python3", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
                *("--no-compile", "--target", _TOOLS),
                # A source that stays a file lies in a folder of its name.
                *(f"{SOURCES}/{tool}/{_file(context, tool)}" for tool in build.tools),
            ]
        },
        *answers(
            context.python["include"],
            _VERSION.format(version=context.python["version"]),
            # Meson has its cross file, and asks pkg-config.
            linked=bool(context.libraries and not build.meson),
            shared=build.shared,
        ),
        *link_commands(build.shared, context.recipe.name),
        {"text": _PYTHON_PROGRAM, "to": f"{_PROGRAMS}/target-python", "executable": True},
        {"text": _PYTHON3_PC.format(**context.python), "to": f"{_PKG_CONFIG}/python3.pc"},
        # Found by its name: for Meson it belongs to the build machine, whatever a cross file says.
        {"copy": f"{BIN}/relative-cython", "to": f"{_PROGRAMS}/cython"},
        {"text": _cross_file(build, context), "to": CROSS_FILE},
        {
            "argv": [
                *("python3", "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check"),
                *("--outdir", f"{WORK}/wheel"),
                *(
                    f"-C{name}={context.fill(str(value))}"
                    for name, values in settings.items()
                    for value in values
                ),
                source_folder,
            ],
            "environment": {n: context.fill(v) for n, v in environment.items()},
        },
        {"unpack": f"{WORK}/wheel/*.whl", "to": TREE},
        *carry_commands(build.shared, context.recipe.name),
        *fill_tree(context),
    ]


def _file(context: BuildContext, source: str) -> str:
    return context.recipe.data.sources[source].origins[0].filename


def _cross_file(build: Pep517Build, context: BuildContext) -> str:
    """Meson's cross file: https://mesonbuild.com/Cross-compilation.html."""
    naming = context.toolchain.data.python
    sections: dict[str, dict[str, Scalar | tuple[str, ...]]] = {
        "binaries": {
            "c": "cross-cc",
            "cpp": "cross-c++",
            "ar": "cross-ar",
            "ranlib": "cross-ranlib",
            "strip": "true",
            "pkg-config": "pkg-config",
            "python": f"{_PROGRAMS}/target-python",
        },
        "host_machine": {
            "system": "linux",
            "cpu_family": naming.cpu_family,
            "cpu": naming.cpu,
            "endian": "little",
        },
        "properties": {"needs_exe_wrapper": True, "pkg_config_libdir": _PKG_CONFIG},
    }
    if context.libraries:
        folders = (_PKG_CONFIG, *pkg_config_folders(context.libraries))
        sections["properties"]["pkg_config_libdir"] = folders
        sections["built-in options"] = {"cmake_prefix_path": prefixes(context.libraries)}
    for section, values in build.meson.items():
        filled = {n: context.fill(v) if isinstance(v, str) else v for n, v in values.items()}
        sections.setdefault(section, {}).update(filled)
    lines = []
    for section, pairs in sections.items():
        lines.append(f"[{section}]")
        lines.extend(f"{name} = {_meson(value)}" for name, value in pairs.items())
    return "\n".join(lines) + "\n"


def _meson(value: Scalar | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_meson(item) for item in value) + "]"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
