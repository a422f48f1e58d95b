"""What the loader finds: libraries of the wheel and of the board, versions, symbols."""

from __future__ import annotations

import struct
from pathlib import Path, PurePosixPath

import pytest
from arm_files import MODULE, RETURN, V6, V7, Source, Toolbox, make_wheel, patch

from crosspi.audit import Law, audit_tree, audit_wheel
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import DT_FLAGS_1, ET_DYN, ET_EXEC
from crosspi.audit.loading import installed

FILE = f"pkg/{MODULE}"
UNRESOLVED = "--unresolved-symbols=ignore-all"


def findings(path: Path, law: Law = V6) -> list[tuple[str, str]]:
    return [(item.severity, item.code) for item in audit_wheel(path, law).findings]


def library(
    arm: Toolbox, name: str, symbol: str, *links: str, options: tuple[str, ...] = ()
) -> str:
    """A library without symbol versions; its path."""
    body = "".join(f"  b {Path(link).name.split('.')[0]}\n" for link in links) or RETURN
    source = Source(body, exports=(symbol,), soname=name, links=links)
    folder = arm.file(".dir")
    folder.mkdir()
    (folder / name).write_bytes(arm.shared(source, *options))
    return str(folder / name)


def module(arm: Toolbox, *links: str, options: tuple[str, ...] = ()) -> bytes:
    body = "".join(f"  b {Path(link).name.split('.')[0]}\n" for link in links)
    return arm.shared(Source(body + RETURN, links=links), *options)


# where libraries are found


@pytest.mark.parametrize(
    ("path", "lies", "found"),
    [
        ("$ORIGIN/../demo.libs", "demo.libs/foo.so.1", True),
        ("${ORIGIN}", "pkg/foo.so.1", True),
        ("/opt/lib:$ORIGIN/../demo.libs", "demo.libs/foo.so.1", True),
        ("$ORIGIN/../demo.libs", "demo-1.0.data/platlib/demo.libs/foo.so.1", True),
        ("$ORIGIN/../../../../lib", "demo-1.0.data/data/lib/foo.so.1", True),
        ("$ORIGIN/../gone.libs", "demo.libs/foo.so.1", False),
        ("$ORIGIN", "demo.libs/foo.so.1", False),
    ],
)
def test_a_carried_library_is_found_by_the_runpath(
    arm: Toolbox, tmp_path: Path, path: str, lies: str, found: bool
) -> None:
    foo = library(arm, "foo.so.1", "foo")
    files = {FILE: module(arm, foo, options=(f"--rpath={path}",)), lies: Path(foo).read_bytes()}
    codes = [code for _, code in findings(make_wheel(tmp_path, files)) if code != "rpath"]
    assert codes == ([] if found else ["carried-not-found"])


def test_without_any_path_it_is_not_found(arm: Toolbox, tmp_path: Path) -> None:
    foo = library(arm, "foo.so.1", "foo")
    files = {FILE: module(arm, foo), "pkg/foo.so.1": Path(foo).read_bytes()}
    report = audit_wheel(make_wheel(tmp_path, files), V6)
    (error,) = report.errors
    assert error.code == "carried-not-found"
    assert "lies at pkg/foo.so.1" in error.message and "no RPATH" in error.message


@pytest.mark.parametrize(
    "code",
    [
        "ctypes.CDLL(path)",
        "cdll.LoadLibrary(p)",
        "sys.setdlopenflags(os.RTLD_GLOBAL)",
        " " * ((1 << 20) - 2) + "CDLL(path)",
    ],
    ids=["CDLL", "LoadLibrary", "RTLD_GLOBAL", "on the border of two blocks"],
)
def test_where_python_code_may_load_it_first_it_is_a_note(
    arm: Toolbox, tmp_path: Path, code: str
) -> None:
    foo = library(arm, "foo.so.1", "foo")
    files = {
        FILE: module(arm, foo),
        "pkg/foo.so.1": Path(foo).read_bytes(),
        "pkg/__init__.py": code.encode(),
    }
    assert findings(make_wheel(tmp_path, files)) == [("note", "carried-not-found")]


@pytest.mark.parametrize(
    ("dtags", "found"), [("--disable-new-dtags", True), ("--enable-new-dtags", False)]
)
def test_an_rpath_is_for_what_the_library_needs_too_and_a_runpath_is_not(
    arm: Toolbox, tmp_path: Path, dtags: str, found: bool
) -> None:
    inner = library(arm, "inner.so.1", "inner")
    outer = library(arm, "outer.so.1", "outer", inner)
    options = ("--rpath=$ORIGIN/../demo.libs", dtags)
    files = {FILE: module(arm, outer, options=options)}
    files |= {f"demo.libs/{Path(p).name}": Path(p).read_bytes() for p in (inner, outer)}
    told = [] if found else [("error", "carried-not-found")]
    assert findings(make_wheel(tmp_path, files)) == told


def test_what_is_loaded_already_is_not_looked_for(arm: Toolbox, tmp_path: Path) -> None:
    """The loader goes in breadth: what the module itself needs is there for its libraries."""
    inner = library(arm, "inner.so.1", "inner")
    outer = library(arm, "outer.so.1", "outer", inner)
    files = {FILE: module(arm, outer, inner, options=("--rpath=$ORIGIN/../demo.libs",))}
    files |= {f"demo.libs/{Path(p).name}": Path(p).read_bytes() for p in (inner, outer)}
    assert findings(make_wheel(tmp_path, files)) == []


def test_a_library_that_nobody_has(arm: Toolbox, tmp_path: Path) -> None:
    files = {FILE: module(arm, library(arm, "foo.so.1", "foo"))}
    assert findings(make_wheel(tmp_path, files)) == [("error", "foreign-needed")]


def test_libraries_that_name_only_each_other_are_looked_at(arm: Toolbox, tmp_path: Path) -> None:
    stub = library(arm, "one.so.1", "one")
    two = library(arm, "two.so.1", "two", stub, library(arm, "foo.so.1", "foo"))
    one = library(arm, "one.so.1", "one", two)
    files = {f"demo.libs/{Path(p).name}": Path(p).read_bytes() for p in (one, two)}
    files[MODULE] = arm.shared()
    assert ("error", "foreign-needed") in findings(make_wheel(tmp_path, files))


def test_in_a_whole_system_a_library_is_found_wherever_it_lies(
    arm: Toolbox, tmp_path: Path
) -> None:
    foo = library(arm, "foo.so.1", "foo")
    (tmp_path / "usr").mkdir()
    (tmp_path / "m.so").write_bytes(module(arm, foo))
    (tmp_path / "usr" / "foo.so.1").write_bytes(Path(foo).read_bytes())
    assert audit_tree(tmp_path, V6).findings == ()


NOBODYS = "  bl __atomic_load_8\n  pop {r4, pc}\n"


def in_a_system(folder: Path, files: dict[str, bytes]) -> list[tuple[str, str, str]]:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return [(f.severity, f.code, f.file) for f in audit_tree(folder, V6).findings]


def test_in_a_whole_system_symbols_are_those_of_its_own_libraries(
    arm: Toolbox, tmp_path: Path
) -> None:
    """A module, and what somebody opens, who may bring the symbols himself."""
    files = {
        "lib/m.so": arm.shared(Source(NOBODYS)),
        "lib/plugin.so": arm.shared(Source(NOBODYS, exports=("plugin",))),
        "lib/libc.so.6": arm.shared(Source(exports=("puts",), soname="libc.so.6")),
    }
    told = [
        ("error", "undefined-symbol", "lib/m.so"),
        ("note", "undefined-symbol", "lib/plugin.so"),
    ]
    assert in_a_system(tmp_path / "without", files) == told
    own = arm.shared(Source(exports=("puts", "__atomic_load_8"), soname="libc.so.6"))
    assert in_a_system(tmp_path / "with", files | {"lib/libc.so.6": own}) == []


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ("pkg/m.so", "lib/python3/site-packages/pkg/m.so"),
        ("x-1.data/purelib/m.so", "lib/python3/site-packages/m.so"),
        ("x-1.data/platlib/pkg/m.so", "lib/python3/site-packages/pkg/m.so"),
        ("x-1.data/scripts/tool", "bin/tool"),
        ("x-1.data/data/lib/libx.so", "lib/libx.so"),
    ],
)
def test_where_pip_puts_a_member(member: str, place: str) -> None:
    assert installed(member) == PurePosixPath(place)


# versions


@pytest.mark.parametrize(
    ("soname", "version", "code"),
    [
        ("libstdc++.so.6", "GLIBCXX_3.4.28", None),
        ("libstdc++.so.6", "GLIBCXX_3.4.29", "gcc-floor"),
        ("libgcc_s.so.1", "GCC_3.5", None),
        ("libgcc_s.so.1", "GCC_14.0.0", "gcc-floor"),
        ("libc.so.6", "GLIBC_2.31", None),
        ("libc.so.6", "GLIBC_ABI_DT_RELR", "glibc-floor"),
        ("libc.so.6", "GLIBC_PRIVATE", "glibc-floor"),
    ],
)
def test_versions_are_those_of_the_pythons_system(
    arm: Toolbox, tmp_path: Path, soname: str, version: str, code: str | None
) -> None:
    """For Python 3.9: Raspberry Pi OS 11 with glibc 2.31 and gcc 10."""
    law = V6.model_copy(
        update={"glibc": "2.31", "needed": (*V6.needed, "libstdc++.so.6", "libgcc_s.so.1")}
    )
    foo = arm.library(soname, version, "helper")
    data = arm.shared(Source("  b helper\n", links=(foo,)))
    assert findings(make_wheel(tmp_path, {MODULE: data}), law) == (
        [("error", code)] if code else []
    )


@pytest.mark.parametrize(("glibc", "told"), [("2.31", [("error", "glibc-floor")]), ("2.36", [])])
def test_packed_relocations_want_a_glibc_that_reads_them(
    arm: Toolbox, tmp_path: Path, glibc: str, told: list[tuple[str, str]]
) -> None:
    extra = ".data\n.align 2\nhere:\n" + ".word here\n" * 40
    data = arm.shared(Source(extra=extra), "--pack-dyn-relocs=relr")
    law = V6.model_copy(update={"glibc": glibc})
    assert findings(make_wheel(tmp_path, {MODULE: data}), law) == told


@pytest.mark.parametrize(
    ("tag", "ok"),
    [
        ("manylinux_2_31_armv7l", True),
        ("manylinux_2_31_armv7l.linux_armv7l", False),
        ("manylinux_2_31_armv7l.manylinux_2_28_armv7l", False),
        ("manylinux_2_31_armv7l.musllinux_1_2_armv7l", True),
    ],
)
def test_each_name_by_which_pip_takes_it_must_ask_for_the_newer_system(
    arm: Toolbox, tmp_path: Path, tag: str, ok: bool
) -> None:
    foo = arm.library("libc.so.6", "GLIBC_2.31", "new")
    data = arm.shared(Source("  b new\n", links=(foo,), arch="armv7-a"))
    report = audit_wheel(make_wheel(tmp_path, {MODULE: data}, tag=f"cp311-cp311-{tag}"), V7)
    assert report.ok is ok


# symbols


def test_a_symbol_that_nothing_has(arm: Toolbox, tmp_path: Path) -> None:
    data = arm.shared(Source("  bl puts\n  bl __atomic_load_8\n  bx lr\n"), UNRESOLVED)
    (error,) = audit_wheel(make_wheel(tmp_path, {MODULE: data}), V6).errors
    assert error.code == "undefined-symbol"
    # puts is libc's, which the interpreter has loaded.
    assert error.message == "it needs __atomic_load_8, which no library that it names has"


def test_a_symbol_of_the_interpreter(arm: Toolbox, tmp_path: Path) -> None:
    data = arm.shared(Source("  bl PyList_New\n  bl _Py_Dealloc\n  bx lr\n"), UNRESOLVED)
    assert findings(make_wheel(tmp_path, {MODULE: data})) == []


def test_a_program_has_no_interpreter(arm: Toolbox, tmp_path: Path) -> None:
    data = arm.shared(Source("  bl PyList_New\n  bx lr\n", exports=("main",)), UNRESOLVED)
    program = patch(data, 16, "H", ET_EXEC)
    path = make_wheel(tmp_path, {"demo/run": as_needing(program)})
    assert ("error", "undefined-symbol") in findings(path)


def as_needing(data: bytes) -> bytes:
    """A dynamic program: static ones have nobody to ask."""
    assert Elf(data).static
    return with_interpreter(data)


def with_interpreter(data: bytes) -> bytes:
    """The file with its PT_PHDR made a PT_INTERP of an empty name."""
    start, size, count = (
        struct.unpack_from("<I", data, 28)[0],
        *struct.unpack_from("<HH", data, 42),
    )
    for number in range(count):
        at = start + number * size
        if struct.unpack_from("<I", data, at)[0] == 6:
            name = data.index(b"PyList_New\0")
            data = patch(patch(data, at, "II", 3, name), at + 16, "I", 11)
    return data


def test_a_weak_symbol_may_be_missing(arm: Toolbox, tmp_path: Path) -> None:
    data = arm.shared(Source("  bl _ITM_nothing\n  bx lr\n", extra=".weak _ITM_nothing\n"))
    assert findings(make_wheel(tmp_path, {MODULE: data})) == []


def test_a_symbol_of_a_library_that_is_named(arm: Toolbox, tmp_path: Path) -> None:
    foo = library(arm, "foo.so.1", "foo")
    files = {
        FILE: module(arm, foo, options=("--rpath=$ORIGIN",)),
        "pkg/foo.so.1": Path(foo).read_bytes(),
    }
    assert findings(make_wheel(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("code", "severity"), [(b"import pkg.m", "error"), (b"CDLL('foo.so.1', RTLD_GLOBAL)", "note")]
)
def test_a_symbol_of_a_library_that_is_not_named(
    arm: Toolbox, tmp_path: Path, code: bytes, severity: str
) -> None:
    foo = library(arm, "foo.so.1", "foo")
    files = {
        FILE: arm.shared(Source("  b foo\n"), UNRESOLVED),
        "pkg/foo.so.1": Path(foo).read_bytes(),
        "pkg/__init__.py": code,
    }
    assert findings(make_wheel(tmp_path, files)) == [(severity, "undefined-symbol")]


def test_the_symbols_of_an_unlisted_library_are_not_guessed(arm: Toolbox, tmp_path: Path) -> None:
    zlib = library(arm, "libz.so.1", "libz")
    data = arm.shared(Source("  bl inflate\n  b libz\n", links=(zlib,)), UNRESOLVED)
    law = V6.model_copy(update={"needed": (*V6.needed, "libz.so.1")})
    assert findings(make_wheel(tmp_path, {MODULE: data}), law) == []


# static programs


@pytest.mark.parametrize(
    ("kind", "pie", "static"),
    [(ET_EXEC, False, True), (ET_DYN, True, True), (ET_DYN, False, False)],
)
def test_a_static_program_is_told_from_a_library(
    arm: Toolbox, kind: int, pie: bool, static: bool
) -> None:
    data = arm.shared(Source(), *(["-z", "nodelete"] if pie else []))
    data = patch(data, 16, "H", kind)
    if pie:
        at = data.index(struct.pack("<I", DT_FLAGS_1))
        data = patch(data, at + 4, "I", 0x08000000)
    assert Elf(data).static is static
