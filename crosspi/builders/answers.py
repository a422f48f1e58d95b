"""What a build asks the Python that runs it, answered for the target's.

distutils, setuptools and all that is built on them ask the running Python for its configuration,
headers, platform and the width of pointers. It runs on the build machine; the answers are those of
the target's own `_sysconfigdata` (taken from its image by `steps.python`), and the cross compiler.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from crosspi.builders.shared import link_flags
from crosspi.containers.job import Command
from crosspi.data.targets import Toolchain
from crosspi.places import NEEDS, PYTHON, WORK

#: First on the path of the Python that runs the build.
ANSWERS = f"{WORK}/answers"
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
#: For a build that is linked with libraries. `setup.py` names those that it knows, and not what
#: these need themselves: the linker sees every archive, and takes of each only what is asked for.
#: Pillow looks into the folders of Python's prefix too, which would be the build machine's. It must
#: not see the archives of a library that modules share (see `shared`): each would get its own copy.
_LINKED = f"""\
import glob
build_time_vars.update(INCLUDEDIR="{PYTHON}/include", LIBDIR="{PYTHON}/lib")
archives = [p for p in sorted(glob.glob("{NEEDS}/*/lib/*.a")) if not p.startswith({{shared!r}})]
for name in ("LDSHARED", "BLDSHARED", "LDCXXSHARED"):
    build_time_vars[name] += "".join(" " + path for path in archives) + {{flags!r}}
"""
_PREFIX = f'sys.prefix = sys.exec_prefix = "{PYTHON}"'
#: numpy 1.19 to 1.21 give LAPACK 64-bit integers where `sys.maxsize` says that pointers are wide:
#: on a 32-bit board such a wheel loads, and its linear algebra crashes.
_SITECUSTOMIZE = """\
import sys, sysconfig
try:
    import distutils.sysconfig
    distutils.sysconfig.get_python_inc = lambda plat_specific=0, prefix=None: {include!r}
except ImportError:  # Python 3.12 has none; setuptools' own asks sysconfig
    pass
sys.maxsize = 2 ** (8 * sysconfig.get_config_var("SIZEOF_SIZE_T") - 1) - 1
"""


def answers(
    include: str, *more: str, linked: bool = False, shared: Collection[str] = ()
) -> list[Command]:
    """Write the answers.

    Args:
        include: the folder of the target's headers.
        more: further lines that run when that Python starts.
        linked: the build asks them for what it is linked with: there are libraries.
        shared: those of them that all modules share (see `shared`).
    """
    configuration = _SYSCONFIGDATA.format(include=include)
    if linked:
        folders = tuple(f"{NEEDS}/{name}/" for name in shared)
        configuration += _LINKED.format(shared=folders, flags=link_flags(shared))
    lines = [*([_PREFIX] if linked else ()), *more]
    starts = _SITECUSTOMIZE.format(include=include) + "".join(f"{line}\n" for line in lines)
    return [
        {"text": configuration, "to": f"{ANSWERS}/_sysconfigdata.py"},
        {"text": starts, "to": f"{ANSWERS}/sitecustomize.py"},
    ]


def environment_of(toolchain: Toolchain) -> Mapping[str, str]:
    """The variables by which the answers are found, with `ANSWERS` on PYTHONPATH."""
    return {
        "_PYTHON_SYSCONFIGDATA_NAME": "_sysconfigdata",
        "_PYTHON_HOST_PLATFORM": toolchain.data.host_platform,
    }
