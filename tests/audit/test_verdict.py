"""The finer points of what is a fault; one wheel for each code is in test_seeded_faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from arm_files import (
    FOREIGN,
    MODULE,
    RETURN,
    V6,
    V7,
    Source,
    Toolbox,
    change_stack,
    make_wheel,
    without_section,
    words,
)

from crosspi.audit import Law, Promises, audit_elf, audit_tree, audit_wheel
from crosspi.audit.elf.file import Elf
from crosspi.audit.elf.format import SHT_ATTRIBUTES
from crosspi.audit.findings import Report

NEON = 0xF2220844
V7_SOURCE = Source(arch="armv7-a", fpu="neon-vfpv4")


def told(data: bytes, law: Law = V6, promises: Promises | None = None) -> set[str]:
    """The codes of the errors in a file of our own."""
    _, findings = audit_elf(data, MODULE, law, promises, own=True)
    return {item.code for item in findings if item.severity == "error"}


def test_honest_file(arm: Toolbox) -> None:
    assert told(arm.shared()) == set()


@pytest.mark.parametrize(("name", "strip"), [(n, s) for n in FOREIGN for s in (False, True)])
def test_foreign_instruction(arm: Toolbox, name: str, strip: bool) -> None:
    text, kind = FOREIGN[name]
    data = arm.shared(Source(f"  {text}\n{RETURN}"), strip=strip)
    assert {f"isa-{kind}", "attr-lies"} <= told(data)
    _, findings = audit_elf(data, MODULE, V6)
    found = next(item for item in findings if item.code == f"isa-{kind}")
    assert "PyInit_m" in found.where


def test_thumb_alone_is_no_fault(arm: Toolbox) -> None:
    assert told(arm.shared(Source("  movs r0, #1\n  bx lr\n", state="thumb"))) == set()


def test_v6t2_is_not_of_the_v6_family(arm: Toolbox) -> None:
    assert told(arm.shared(Source(arch="armv6t2"))) == {"attr-arch", "attr-thumb2"}


@pytest.mark.parametrize("target", ["x86-linux-gnu", "powerpc-linux-gnueabihf"])
def test_foreign_machine(arm: Toolbox, target: str) -> None:
    assert told(arm.foreign(target)) == {"foreign-machine"}


def test_big_endian(arm: Toolbox) -> None:
    assert told(arm.shared()[:5] + b"\2" + arm.shared()[6:]) == {"foreign-machine"}


def test_glibc_at_the_floor(arm: Toolbox) -> None:
    library = arm.library("libc.so.6", "GLIBC_2.28", "old")
    assert told(arm.shared(Source("  b old\n", links=(library,)))) == set()


def test_library_that_the_wheel_carries(arm: Toolbox, tmp_path: Path) -> None:
    library = arm.library("libblas.so.3", "BLAS_1", "dgemm")
    data = arm.shared(Source("  b dgemm\n", links=(library,)), "--rpath=$ORIGIN/demo.libs")
    files = {MODULE: data, "demo.libs/libblas.so.3": Path(library).read_bytes()}
    assert audit_wheel(make_wheel(tmp_path, files), V6).findings == ()


@pytest.mark.parametrize("path", ["$ORIGIN/../../x", "lib", ""])
def test_rpath(arm: Toolbox, path: str) -> None:
    assert told(arm.shared(Source(), f"--rpath={path or ':'}")) == {"rpath"}


def test_longer_path_is_no_build_path(arm: Toolbox) -> None:
    extra = '.section .rodata\n.asciz "/usr/src/linux https://host/src/x ../work/y"\n'
    assert told(arm.shared(Source(extra=extra))) == set()


def test_file_that_does_not_say_how_its_stack_is(arm: Toolbox) -> None:
    assert told(change_stack(arm.shared(), 0x6FFFFFFF, 6)) == {"exec-stack"}


@pytest.mark.parametrize("size", [5, 30, 60])
def test_truncated_elf(arm: Toolbox, size: int) -> None:
    assert told(arm.shared()[:size]) == {"elf-broken"}


def test_damaged_elf_is_told_without_a_traceback(arm: Toolbox) -> None:
    data = arm.shared()
    for at in range(4, len(data), 5):
        told(data[:at] + b"\xff\xff" + data[at + 2 :])
        told(data[:at])


def severities(data: bytes) -> dict[str, str]:
    """What is said of a file of somebody else."""
    return {item.code: item.severity for item in audit_elf(data, MODULE, V6)[1]}


def test_what_is_only_declared_is_a_note_of_others_files(arm: Toolbox) -> None:
    """One object with other flags is enough for the linker; the code is what runs."""
    data = arm.shared(V7_SOURCE)
    notes = dict.fromkeys(("attr-arch", "attr-fp", "attr-simd", "attr-thumb2"), "note")
    assert severities(data) == notes
    foreign = arm.shared(Source(words(0xF2220844) + RETURN, arch="armv7-a", fpu="neon-vfpv4"))
    assert set(severities(foreign).values()) == {"error"}


def test_what_is_declared_counts_where_the_code_was_not_seen(arm: Toolbox) -> None:
    body = RETURN + "  .word 0xffffffff\n" * 64
    data = arm.shared(Source(body, arch="armv7-a", fpu="neon"), strip=True)
    assert severities(data)["attr-arch"] == "error"


# the other law, promises


def test_v7_file_under_the_v7_law(arm: Toolbox) -> None:
    body = words(0xE3010234, 0xF2220844, 0xEEB70A00, 0xE710F211) + RETURN
    assert told(arm.shared(Source(body, arch="armv7-a", fpu="neon-vfpv4")), V7) == set()


def test_crypto_is_a_note_where_the_law_says_so(arm: Toolbox) -> None:
    data = arm.shared(Source(words(0xF3B00302) + RETURN, arch="armv7-a", fpu="neon"))
    _, findings = audit_elf(data, MODULE, V7)
    assert [(item.code, item.severity) for item in findings] == [("isa-crypto", "note")]


def test_dispatched_code_is_allowed(arm: Toolbox) -> None:
    data = arm.shared(Source(words(0xE1910C9F) + RETURN, arch="armv7-a", fpu="neon"))
    entry = {"why": "getauxval is asked first", "classes": ["v8"], "symbols": ["^PyInit"]}
    promises = Promises.model_validate({"dispatched": [entry]})
    assert told(data, V7, promises) == set()
    assert audit_elf(data, MODULE, V7, promises)[0].dispatched == {entry["why"]: "v8 1"}
    other = Promises.model_validate({"dispatched": [{**entry, "symbols": ["^xnn_"]}]})
    assert told(data, V7, other) == {"isa-v8", "attr-lies"}
    assert audit_elf(data, MODULE, V7, other)[0].dispatched == {entry["why"]: "v8 0"}
    assert audit_elf(data, MODULE, V7)[0].dispatched == {}


def test_neon_promise_kept(arm: Toolbox, tmp_path: Path) -> None:
    promises = Promises(neon=True)
    tag = "cp311-cp311-linux_armv7l"
    data = arm.shared(Source(words(0xF2220844) + RETURN, arch="armv7-a", fpu="neon"))
    kept = make_wheel(tmp_path, {MODULE: data}, tag=tag)
    report = audit_wheel(kept, V7, promises)
    assert report.ok
    assert report.files[0].counts["neon"] == 1


# whole wheels


def wheel_codes(path: Path, law: Law = V6) -> list[str]:
    return [item.code for item in audit_wheel(path, law).findings]


def test_windows_file(arm: Toolbox, tmp_path: Path) -> None:
    files = {MODULE: arm.shared(), "m.pyd": b"MZ\x90\0"}
    assert wheel_codes(make_wheel(tmp_path, files)) == ["foreign-machine"]


def test_so_that_is_no_elf(arm: Toolbox, tmp_path: Path) -> None:
    files = {MODULE: arm.shared(), "x.so": b"nonsense"}
    assert wheel_codes(make_wheel(tmp_path, files)) == ["elf-broken"]


def test_report_has_the_facts(arm: Toolbox, tmp_path: Path) -> None:
    report = audit_wheel(make_wheel(tmp_path, {MODULE: arm.shared()}), V6)
    (facts,) = report.files
    assert (facts.arch, facts.fp, facts.simd) == ("v6K", "VFPv2", "none")
    assert facts.instructions == 1
    assert len(report.sha256) == 64


# folders


def test_tree(arm: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "good.so").write_bytes(arm.shared())
    (tmp_path / "lib" / "bad.so").write_bytes(arm.shared(V7_SOURCE))
    (tmp_path / "lib" / "link.so").symlink_to("bad.so")
    (tmp_path / "text").write_text("x")
    report = audit_tree(tmp_path, V6, own=True)
    assert [facts.file for facts in report.files] == ["lib/bad.so", "lib/good.so"]
    assert {item.file for item in report.findings} == {"lib/bad.so"}


def test_tree_carries_its_libraries(arm: Toolbox, tmp_path: Path) -> None:
    library = arm.library("libc.so.6", "GLIBC_2.40", "new")
    (tmp_path / "a.so").write_bytes(arm.shared(Source("  b new\n", links=(library,))))
    (tmp_path / "libc-2.40.so").write_bytes(Path(library).read_bytes())
    assert Elf(Path(library).read_bytes()).soname == "libc.so.6"
    assert audit_tree(tmp_path, V6).findings == ()


def test_a_name_that_asks_for_a_newer_glibc_is_honest(arm: Toolbox, tmp_path: Path) -> None:
    """pip does not install it on older systems, so the floor of our own wheels is not its."""
    library = arm.library("libc.so.6", "GLIBC_2.30", "new")
    data = arm.shared(Source("  b new\n", links=(library,), arch="armv7-a"))
    honest = make_wheel(tmp_path, {MODULE: data}, tag="cp311-cp311-manylinux_2_30_armv7l")
    assert wheel_codes(honest, V7) == []


def test_a_file_of_which_nothing_was_looked_at_does_not_pass(arm: Toolbox) -> None:
    data = arm.shared(Source("  .word 0xffffffff\n" * 16, exports=()), strip=True)
    _, findings = audit_elf(data, "m.so", V6)
    assert [(item.code, item.severity) for item in findings] == [("isa-unreached", "error")]


@pytest.mark.parametrize(("unknown", "own"), [(1, []), (3, ["error"]), (6, ["error"])])
def test_of_our_own_files_nine_tenths_are_known(arm: Toolbox, unknown: int, own: list[str]) -> None:
    """Of 20 words, behind a function; of others' files a quarter may be unknown."""
    body = "  nop\n" * (19 - unknown) + RETURN + "  .word 0xffffffff\n" * unknown
    data = arm.shared(Source(body), strip=True)
    for ours, told in ((True, own), (False, ["note"] if unknown > 5 else [])):
        _, findings = audit_elf(data, "m.so", V6, own=ours)
        assert [item.severity for item in findings if item.code == "isa-unreached"] == told


def test_code_that_chooses_its_cpu_is_no_finding(arm: Toolbox) -> None:
    """musl's two barriers, as they stand in every static program."""
    body = f"  mcr p15, 0, r0, c7, c10, 5\n{RETURN}{words(0xF57FF05B)}{RETURN}"
    facts, findings = audit_elf(arm.shared(Source(body)), "m.so", V6)
    assert findings == []
    ((why, what),) = facts.dispatched.items()
    assert ("musl" in why, what) == (True, "v7 1")
    report = Report("m.so", "", "", (facts,), ())
    assert report.evidence.endswith("1 ELF file with code that is chosen at run time")
    assert f"chosen at run time in m.so: v7 1 ({why})" in report.to_text()


@pytest.mark.parametrize(
    ("first", "behind", "certainty"),
    [
        ((), 1, "unclear"),
        ((), 15, "unclear"),
        ((), 16, "likely"),
        ((NEON,), 1, "certain"),
        ((NEON,), 16, "certain"),
    ],
)
def test_code_that_nothing_is_known_to_lead_to_is_unclear(
    arm: Toolbox, first: tuple[int, ...], behind: int, certainty: str
) -> None:
    """Behind a function's end: it looks like another function, and may be data, if it is little."""
    code = f"  .word 0\n  push {{r4, lr}}\n{words(*[NEON] * behind)}  pop {{r4, pc}}\n"
    data = arm.shared(Source(words(*first) + RETURN + code), strip=True)
    found = {item.code: item.certainty for item in audit_elf(data, MODULE, V6)[1]}
    assert found["isa-neon"] == found["attr-lies"] == certainty


@pytest.mark.parametrize(("goarm", "law", "told"), [(7, V6, True), (6, V6, False), (7, V7, False)])
def test_what_go_built_for_is_what_it_declares(
    arm: Toolbox, goarm: int, law: Law, told: bool
) -> None:
    """Go writes no build attributes, and what it was built for elsewhere."""
    info = f'.section .go.buildinfo, "a"\n.ascii "build\\tGOARM={goarm}\\n"\n'
    body = f"{words(NEON)}{RETURN}"
    data = without_section(arm.shared(Source(body, extra=info)), SHT_ATTRIBUTES)
    found = [item for item in audit_elf(data, MODULE, law)[1] if item.code == "attr-arch"]
    assert [item.message for item in found] == (["it is built with GOARM=7"] if told else [])
    assert all((item.severity, item.certainty) == ("error", "certain") for item in found)


NAMED = '.ascii "AES for ARMv8, CRYPTOGAMS by <appro@openssl.org>"\n.balign 4\n'
CRYPTO = V7.model_copy(update={"instructions": (*V7.instructions, "crypto"), "noted": ()})


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("", {"isa-crypto": "unproven"}),
        (".space 9000\n", {"isa-crypto": "certain", "attr-lies": "certain"}),
    ],
)
def test_cryptography_that_openssl_may_ask_for_is_not_proven(
    arm: Toolbox, more: str, told: dict[str, str]
) -> None:
    """Nor does a run clear it; the same code elsewhere in the file is a fault."""
    aese = f"{words(0xF3B00300)}"
    body = f"{aese}{aese}b 1f\n{more}1: {aese}{RETURN}{NAMED}"
    facts, findings = audit_elf(
        arm.shared(Source(body, arch="armv7-a", fpu="neon")), MODULE, CRYPTO
    )
    found = {item.code: item.certainty for item in findings if item.severity == "error"}
    assert found == told
    report = Report("m.whl", "v7", "", (facts,), tuple(findings))
    assert report.verdict == ("refused" if more else "undecided")
    assert ("OPENSSL_STATIC_ARMCAP" in report.to_text()) == ("not decidable" in report.to_text())
    assert ("not decidable" in report.to_text()) == (not more)


@pytest.mark.parametrize(("more", "certainty"), [("", "unproven"), (words(0xF2220844), "certain")])
def test_neon_that_openssl_may_ask_for_is_not_refused_either(
    arm: Toolbox, more: str, certainty: str
) -> None:
    """uv for ARMv6: what the file declares is that of its assembly, and no more certain."""
    body = f"{more}  .rept 2300\n  nop\n  .endr\n{words(NEON)}{RETURN}{NAMED}"
    _, findings = audit_elf(arm.shared(Source(body, arch="armv7-a", fpu="neon")), MODULE, V6)
    found = {item.code: item.certainty for item in findings if item.severity == "error"}
    codes = {"isa-neon", "attr-arch", "attr-fp", "attr-simd", "attr-thumb2"}
    assert found == dict.fromkeys(codes, certainty)


def test_a_tree_may_have_static_libraries(tmp_path: Path) -> None:
    body = b"\x7fELF, and nothing more"
    body += b"\n" * (len(body) % 2)
    header = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"one.o/", 0, 0, 0, 0o644, len(body))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "liba.a").write_bytes(b"!<arch>\n" + header + body)
    assert audit_tree(tmp_path, V6).ok
    report = audit_tree(tmp_path, V6, archives=True)
    assert {(item.code, item.file) for item in report.errors} == {
        ("elf-broken", "lib/liba.a(one.o)")
    }
