"""Static libraries in wheels: their members are looked at as other files are."""

from __future__ import annotations

from pathlib import Path

import pytest
from arm_files import MODULE, RETURN, V6, Source, Toolbox, make_wheel, words

from crosspi.audit import audit_wheel
from crosspi.audit.archives import MAGIC, members
from crosspi.audit.elf.format import BrokenElf

LIBRARY = "demo/lib/libdemo.a"


def archive(arm: Toolbox, *sources: tuple[str, Source]) -> bytes:
    folder = arm.file(".dir")
    folder.mkdir()
    objects = []
    for name, source in sources:
        path = folder / name
        path.write_bytes(arm.object(source.text()).read_bytes())
        objects.append(str(path))
    built = arm.file(".a")
    arm.run("ar", "rcs", str(built), *objects)
    return built.read_bytes()


def member(name: str, body: bytes) -> bytes:
    padding = b"\n" * (len(body) % 2)
    return f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(body):<10}`\n".encode() + body + padding


GOOD = Source(exports=("good",))
BAD = Source(words(0xF2220844) + RETURN, exports=("kernel",), arch="armv7-a", fpu="neon")
LONG = "a_name_longer_than_fifteen_letters.o"


@pytest.mark.parametrize("name", ["bad.o", LONG])
def test_a_foreign_member_is_told_by_its_name(arm: Toolbox, tmp_path: Path, name: str) -> None:
    library = archive(arm, ("good.o", GOOD), (name, BAD))
    wheel = make_wheel(tmp_path, {MODULE: arm.shared(), LIBRARY: library})
    report = audit_wheel(wheel, V6)
    assert {item.file for item in report.errors} == {f"{LIBRARY}({name})"}
    assert {"attr-arch", "isa-neon"} <= {item.code for item in report.errors}


def test_good_members_pass_and_are_in_the_report(arm: Toolbox, tmp_path: Path) -> None:
    library = archive(arm, ("good.o", GOOD))
    report = audit_wheel(make_wheel(tmp_path, {MODULE: arm.shared(), LIBRARY: library}), V6)
    assert report.findings == ()
    assert [facts.file for facts in report.files] == [MODULE, f"{LIBRARY}(good.o)"]


def test_what_is_no_elf_file_in_an_archive_is_let_be(arm: Toolbox, tmp_path: Path) -> None:
    library = MAGIC + member("notes/", b"text")
    assert audit_wheel(make_wheel(tmp_path, {MODULE: arm.shared(), LIBRARY: library}), V6).ok


def test_a_damaged_archive_is_told(arm: Toolbox, tmp_path: Path) -> None:
    library = archive(arm, ("good.o", GOOD))[:-20]
    report = audit_wheel(make_wheel(tmp_path, {MODULE: arm.shared(), LIBRARY: library}), V6)
    assert [(item.code, item.file) for item in report.errors] == [("elf-broken", LIBRARY)]


def test_names_of_both_kinds() -> None:
    data = (
        MAGIC
        + member("/", b"symbols")
        + member("//", b"one_long_name.o/\nanother.o/\n")
        + member("/17", b"second")
        + member("#1/8", b"bsd.o\0\0\0body")
        + member("short.o/", b"x")
    )
    assert list(members(data)) == [("another.o", b"second"), ("bsd.o", b"body"), ("short.o", b"x")]


@pytest.mark.parametrize(
    "data", [b"rubbish", member("a/", b"x")[:-4], member("a/", b"x").replace(b"1   ", b"99  ")]
)
def test_damage(data: bytes) -> None:
    with pytest.raises(BrokenElf):
        list(members(MAGIC + data))
