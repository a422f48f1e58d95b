"""Of XNNPACK's own unit tests, keeps those of the kernels that a build has compiled.

    keep_compiled.py SOURCE BUILD OUT

XNNPACK's tests name every kernel that there is; a wheel holds a tenth of them. Copies SOURCE/test
to OUT/test, and the lists of kernels in SOURCE/src to OUT/src, less each test and each entry that
names a kernel which is not in BUILD's library. OUT/kept.cmake says which files have tests left, and
with which macros the library was compiled. Runs in the build container.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

LIBRARY = "_deps/xnnpack-build/libmicrokernels-prod.a"
#: What a test, or an entry of a list of kernels, begins with.
BEGIN = re.compile(r"\s*(TEST|TEST_P|TEST_F|INSTANTIATE_TEST_SUITE_P|XNN_[A-Z0-9_]+)\(")
ENTRY = re.compile(r"^XNN_[A-Z0-9_]+\(", re.MULTILINE)
KERNEL = re.compile(r"\bxnn_\w+_ukernel(?!\w*_fn\b)\w*")
#: A table that a list fills: with no entry left it is no array any more, but a vector may be empty.
TABLE = re.compile(r"^const (\w+) (\w+)\[\] = \{(?=\n#include )", re.MULTILINE)
INCLUDE = re.compile(r'^#include "([\w-]+/[\w-]+\.h)"', re.MULTILINE)


class InputError(Exception):
    """A file is not what it should be."""


def symbols(archive: bytes) -> set[str]:
    """The functions in an archive, by its own list of them: its first member, `/`.

    Raises:
        InputError: there is no such list.
    """
    if not archive.startswith(b"!<arch>\n/ "):
        raise InputError("no archive with a list of symbols")
    table = archive[68 : 68 + int(archive[56:66])]
    (count,) = struct.unpack_from(">I", table)
    return {name.decode() for name in table[4 + 4 * count :].split(b"\0")[:count]}


def blocks(text: str) -> Iterator[tuple[bool, str]]:
    """A file in pieces: is it a test or an entry of a list, and its text."""
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        begin = BEGIN.match(line)
        if begin is None:
            yield False, line
            continue
        block, has_body = line, begin[1] in ("TEST", "TEST_P", "TEST_F")
        while not _closed(block, has_body):
            block += next(lines)
        yield True, block


def _closed(block: str, has_body: bool) -> bool:
    bare = re.sub(r'"(?:\\.|[^"\\])*"|//[^\n]*', "", block)
    closed = all(bare.count(left) == bare.count(right) for left, right in ("()", "{}"))
    return closed and ("}" in bare or not has_body)


def kept(text: str, compiled: set[str]) -> str:
    """A file without the tests of kernels that are not compiled; lines keep their numbers."""
    result = []
    for is_test, block in blocks(text):
        missing = is_test and set(KERNEL.findall(block)) - compiled
        result.append("\n" * block.count("\n") if missing else block)
    return TABLE.sub(r"const std::vector<\1> \2 = {", "".join(result))


def definitions(ninja: str) -> list[str]:
    """The macros that the library was compiled with, of its `build.ninja`.

    Raises:
        InputError: it does not compile XNNPACK's configuration.
    """
    match = re.search(r"^build \S+/hardware-config\.c\.o: .*\n((?:  .*\n)+)", ninja, re.MULTILINE)
    macros = re.search(r"^  DEFINES = (.*)$", match[1], re.MULTILINE) if match else None
    if macros is None:
        raise InputError("no rule compiles hardware-config.c with macros")
    return re.findall(r"-D(XNN_\S+)", macros[1])


def main(source: Path, build: Path, out: Path) -> None:
    compiled = symbols((build / LIBRARY).read_bytes())
    texts = {path: path.read_text(encoding="utf-8") for path in (source / "test").glob("*.*")}
    for path in (source / "src").glob("*/*.h"):
        text = path.read_text(encoding="utf-8")
        if ENTRY.search(text):
            texts[path] = text
    left = {}
    for path, text in texts.items():
        left[path.relative_to(source).as_posix()] = kept(text, compiled)
    for name, text in left.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    tests = []
    for name, text in sorted(left.items()):
        lists = [left.get(f"src/{included}", "") for included in INCLUDE.findall(text)]
        named = any(KERNEL.search(part) for part in (text, *lists))
        if named and name.endswith(".cc") and not name.endswith("-tester.cc"):
            tests.append(Path(name).stem)
    macros = definitions((build / "build.ninja").read_text(encoding="utf-8"))
    (out / "kept.cmake").write_text(
        f"set(KERNEL_TESTS {' '.join(tests)})\nset(XNNPACK_DEFINITIONS {' '.join(macros)})\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:4]))
