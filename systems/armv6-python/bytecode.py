# Old Python on purpose, without annotations.
# mypy: ignore-errors
# ruff: noqa
"""Compiles the modules of an installed CPython, as if they lay where a board has them.

Run by the CPython of the same version for the build machine: bytecode is as good as the same for
both. The options of `python -m compileall` are other ones in 2.7, 3.5, 3.7 and 3.9, and it writes
the names of files in sub-folders wrongly from 3.5 to 3.8.2 (bpo-39769), so it is not asked.

Usage: bytecode.py ROOT LIBRARY
"""

import os
import py_compile
import sys


def sources(folder):
    """All modules below a folder, in an order that is always the same."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(place, name)


def compiled(path, shown):
    """Compiles a module that tracebacks call `shown`."""
    options = {}
    if hasattr(py_compile, "PycInvalidationMode"):
        # No comparison with the source, whose time changes on the way into an image.
        options["invalidation_mode"] = py_compile.PycInvalidationMode.UNCHECKED_HASH
    else:  # until 3.6 the source's time is all that it knows: that which the image gives it
        time = int(os.environ["SOURCE_DATE_EPOCH"])
        os.utime(path, (time, time))
    py_compile.compile(path, dfile=shown, doraise=True, **options)


def main(arguments):
    root, library = arguments
    faults = 0
    for path in sources(library):
        try:
            compiled(path, "/" + os.path.relpath(path, root))
        except py_compile.PyCompileError as error:
            print(error.msg)
            # A package like pip may hold modules for other Pythons; the library holds none.
            faults += not path.startswith(os.path.join(library, "site-packages", ""))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
