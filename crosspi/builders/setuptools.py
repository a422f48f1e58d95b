"""`setup.py` of setuptools or distutils, from the time before PEP 517.

It runs on a Python of the build machine: the machine's own, or one that a part has built because
the source cannot be read by a newer one. What `setup.py` asks about its Python is answered for the
target: configuration from the target's own `_sysconfigdata`, headers, platform, the width of
pointers, and the cross compiler.
"""

from __future__ import annotations

from crosspi.builders.context import BuildContext, fill_tree, prepare_sources
from crosspi.containers.job import Command
from crosspi.data.recipe_data import SetuptoolsBuild
from crosspi.places import PYTHON, SOURCES, TREE, WORK

#: Where the part that `build.python` names lies.
BUILD_PYTHON = "/build-python"
_TOOLS = f"{WORK}/tools"
_ANSWERS = f"{WORK}/answers"
#: Both are read by Python 2.7 and 3. This one is found before the running Python's own. Modules
#: are linked with libm whether they ask for it or not: where it is missing, zig's own functions of
#: these names would be linked in, and they are less exact.
_SYSCONFIGDATA = f"""\
import sys
with open("{PYTHON}/sysconfigdata.py") as stream:
    exec(stream.read())
build_time_vars.update(
    # Those of the machine that built the target's Python mean nothing here.
    CC="cross-cc", LDSHARED="cross-cc -shared -lm", BLDSHARED="cross-cc -shared -lm",
    CXX="cross-c++", LDCXXSHARED="cross-c++ -shared -lm",
    AR="cross-ar", ARFLAGS="rcs", RANLIB="cross-ranlib",
    CFLAGS="-O3 -DNDEBUG -fno-strict-aliasing -fwrapv", CCSHARED="-fPIC", Py_ENABLE_SHARED=0,
    OPT="", BASECFLAGS="", PY_CFLAGS="", CONFIGURE_CFLAGS="", CPPFLAGS="", CONFIGURE_CPPFLAGS="",
    LDFLAGS="", CONFIGURE_LDFLAGS="", INCLUDEPY={{include!r}}, CONFINCLUDEPY={{include!r}},
)
if "SOABI" in build_time_vars:
    # bdist_wheel makes only wheels that the running Python takes; the tags are corrected later.
    build_time_vars["SOABI"] = "cpython-%d%d" % sys.version_info[:2]
"""
#: numpy 1.19 to 1.21 give LAPACK 64-bit integers where `sys.maxsize` says that pointers are wide:
#: on a 32-bit board such a wheel loads, and its linear algebra crashes.
_SITECUSTOMIZE = """\
import distutils.sysconfig, sys, sysconfig
distutils.sysconfig.get_python_inc = lambda plat_specific=0, prefix=None: {include!r}
sys.maxsize = 2 ** (8 * sysconfig.get_config_var("SIZEOF_SIZE_T") - 1) - 1
"""


def compile_commands(build: SetuptoolsBuild, context: BuildContext) -> list[Command]:
    """Nothing: `setup.py` sees Python from the start."""
    del build, context
    return []


def python_commands(build: SetuptoolsBuild, context: BuildContext) -> list[Command]:
    """Unpack the tools, build the wheel, and unpack it into the tree."""
    assert context.cell is not None
    target = build.targets.get(context.toolchain.name)
    include = context.python["include"]
    environment = {
        **build.environment,
        **(target.environment if target else {}),
        "PYTHONPATH": f"{_ANSWERS}:{_TOOLS}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "_PYTHON_SYSCONFIGDATA_NAME": "_sysconfigdata",
        "_PYTHON_HOST_PLATFORM": context.toolchain.data.host_platform,
    }
    flags = [*build.flags, *(target.flags if target else ())]
    if flags:
        environment["CFLAGS"] = " ".join(flags)
    return [
        *prepare_sources(context),
        *({"unpack": f"{SOURCES}/{tool}/*.whl", "to": _TOOLS} for tool in build.tools),
        {"text": _SYSCONFIGDATA.format(include=include), "to": f"{_ANSWERS}/_sysconfigdata.py"},
        {"text": _SITECUSTOMIZE.format(include=include), "to": f"{_ANSWERS}/sitecustomize.py"},
        {
            "argv": [
                _program(build),
                "setup.py",
                *("build", *(context.fill(argument) for argument in build.arguments)),
                *("bdist_wheel", "--dist-dir", f"{WORK}/wheel"),
            ],
            "cwd": context.source(build.source),
            "environment": {name: context.fill(value) for name, value in environment.items()},
        },
        {"unpack": f"{WORK}/wheel/*.whl", "to": TREE},
        *fill_tree(context),
    ]


def _program(build: SetuptoolsBuild) -> str:
    """The Python that runs `setup.py`: the part build-python-2.7 has a python2.7."""
    if not build.python:
        return "python3"
    return f"{BUILD_PYTHON}/bin/python{build.python.rpartition('-')[2]}"
