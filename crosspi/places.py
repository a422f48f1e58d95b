"""Where a build container finds things."""

from __future__ import annotations

#: Where a build container finds things.
SOURCES = "/src"
RECIPE = "/recipe"
TOOLCHAIN = "/toolchain"
PYTHON = "/python"
NEEDS = "/need"
WORK = "/work"
OUT = "/out"
TREE = f"{OUT}/tree"
#: The licences of libraries, each in a folder of the library's name.
LICENCES = f"{NEEDS}/.licences"
#: What a compile step kept. Inside a folder whose name no binary may hold.
COMPILED = f"{WORK}/compiled"
BIN = "/opt/crosspi/bin"
ZIG = "/opt/crosspi/zig"
CROSS_FILE = f"{WORK}/cross.ini"
#: Prefixes that must not be left in a binary: the audit looks for them.
BUILD_PATHS = (f"{SOURCES}/", f"{WORK}/", f"{NEEDS}/", f"{RECIPE}/", f"{TOOLCHAIN}/", f"{OUT}/")
