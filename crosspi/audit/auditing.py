"""The audit: every ELF file of a wheel or a folder against the law of a target."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from packaging.version import Version

from crosspi.audit.elf import MAGIC, BrokenElf, Elf, is_elf, read_header
from crosspi.audit.elfaudit import BUILD_PATHS, audit_elf
from crosspi.audit.findings import FileFacts, Finding, Report, Severity, finding
from crosspi.audit.law import Law, Promises
from crosspi.audit.wheelfile import Wheel, check_suffix, check_wheel, open_wheel
from crosspi.errors import NotAWheelError

_FOREIGN = {
    b"MZ": "a Windows program",
    b"\xfe\xed\xfa\xce": "a Mach-O file",
    b"\xfe\xed\xfa\xcf": "a Mach-O file",
    b"\xce\xfa\xed\xfe": "a Mach-O file",
    b"\xcf\xfa\xed\xfe": "a Mach-O file",
}
_EXTENSION = re.compile(r"\.(so|pyd|dll|dylib)(\.[\w.]+)?$")


def audit_wheel(
    path: Path,
    law: Law,
    promises: Promises | None = None,
    build_paths: Sequence[str] = BUILD_PATHS,
) -> Report:
    """The verdict over a wheel; raises NotAWheelError where there is no wheel to judge."""
    wheel = open_wheel(path)
    with wheel.archive:
        return _audit_open_wheel(wheel, law, promises or Promises(), build_paths)


def _audit_open_wheel(
    wheel: Wheel, law: Law, promises: Promises, build_paths: Sequence[str]
) -> Report:
    findings = list(check_wheel(wheel, law))
    law = _honest_floor(wheel, law)
    elves: list[str] = []
    for member in wheel.members:
        head = b"" if member.is_dir() else wheel.head(member)
        if head == MAGIC:
            elves.append(member.filename)
        else:
            findings += _check_other(wheel, member.filename, head)
    carried = {PurePosixPath(name).name for name in elves}
    carried |= _sonames(wheel.read(name) for name in elves)
    facts = []
    for name in elves:
        data = wheel.read(name)
        fact, found = audit_elf(data, name, law, promises, carried=carried, build_paths=build_paths)
        facts.append(fact)
        findings += found
        findings += _check_member(wheel, name, data, law)
    findings += _check_kind(wheel, bool(elves))
    findings += _check_glibc_tag(wheel, facts)
    findings += _check_promises(wheel.path.name, facts, promises)
    return Report(wheel.path.name, law.name, wheel.sha256, tuple(facts), _ordered(findings))


def audit_tree(
    root: Path,
    law: Law,
    promises: Promises | None = None,
    build_paths: Sequence[str] = BUILD_PATHS,
) -> Report:
    """The verdict over every ELF file below a folder, e.g. a whole userland."""
    if not root.is_dir():
        raise NotAWheelError("there is no such folder", where=str(root), fix="give a folder")
    promises = promises or Promises()
    files = list(_elf_files(root))
    carried = {path.name for path in files}
    carried |= _sonames(path.read_bytes() for path in files)
    facts, findings = [], []
    for path in files:
        name = path.relative_to(root).as_posix()
        fact, found = audit_elf(
            path.read_bytes(), name, law, promises, carried=carried, build_paths=build_paths
        )
        facts.append(fact)
        findings += found
    findings += _check_promises(str(root), facts, promises)
    return Report(str(root), law.name, "", tuple(facts), _ordered(findings))


def _elf_files(root: Path) -> Iterator[Path]:
    """Regular ELF files below a folder, each once however many hard links it has."""
    seen: set[tuple[int, int]] = set()
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = Path(folder, name)
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with path.open("rb") as stream:
                if is_elf(stream.read(4)):
                    yield path


def _sonames(files: Iterable[bytes]) -> set[str]:
    """The names under which some libraries are known to the loader."""
    found: set[str] = set()
    for data in files:
        try:
            found.add(Elf(data).soname)
        except BrokenElf:
            continue
    return found - {""}


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda item: (item.severity, item.file, item.code)))


def _check_member(wheel: Wheel, name: str, data: bytes, law: Law) -> Iterator[Finding]:
    try:
        header = read_header(data)
        exported = Elf(data).exported if header.is_arm32 else ()
    except BrokenElf:
        return
    if name.endswith(".so"):
        yield from check_suffix(wheel, name, exported, law.soabi)


def _check_other(wheel: Wheel, name: str, head: bytes) -> Iterator[Finding]:
    """Files of other systems; Python's own launchers for Windows may lie in any wheel."""
    kind = _FOREIGN.get(head) or _FOREIGN.get(head[:2])
    if kind and (_EXTENSION.search(name) or not wheel.is_any):
        severity: Severity = "note" if wheel.is_any or name.endswith(".exe") else "error"
        yield finding("foreign-machine", name, f"it is {kind}", severity=severity)
    elif _EXTENSION.search(name) and name.endswith(".so") and not head.startswith(b"/*"):
        if head[:4] in (b"INPU", b"GROU", b"OUTP"):
            return
        yield finding("elf-broken", name, "it is called .so, and is no ELF file")


def _check_kind(wheel: Wheel, has_elf: bool) -> Iterator[Finding]:
    if wheel.is_any and has_elf:
        yield finding("any-with-elf", wheel.path.name, "its tag says any, and it holds ELF files")
    elif not wheel.is_any and not has_elf:
        platforms = ", ".join(sorted(wheel.platforms))
        text = f"it is for {platforms}, and holds no ELF file"
        yield finding("platform-without-elf", wheel.path.name, text)
    elif wheel.is_any:
        yield finding("pure-python", wheel.path.name, "it holds no machine code", severity="note")


def _promised_glibc(wheel: Wheel) -> list[Version]:
    """The glibc versions that a wheel's manylinux tags name (PEP 600)."""
    found = (_manylinux_glibc(platform) for platform in wheel.platforms)
    return [version for version in found if version is not None]


def _honest_floor(wheel: Wheel, law: Law) -> Law:
    """The law for a wheel whose name asks for a newer glibc than the law's floor.

    pip does not install it where the system's is older, so the name keeps the promise.
    """
    promised = _promised_glibc(wheel)
    if not promised or min(promised) <= Version(law.glibc):
        return law
    return law.model_copy(update={"glibc": str(min(promised))})


def _check_glibc_tag(wheel: Wheel, facts: Sequence[FileFacts]) -> Iterator[Finding]:
    """A manylinux tag promises a glibc; the files keep to the lowest promise."""
    promised = _promised_glibc(wheel)
    if not promised:
        return
    for fact in facts:
        if fact.glibc and Version(fact.glibc) > min(promised):
            text = f"the wheel's name promises glibc {min(promised)}, it needs {fact.glibc}"
            yield finding("glibc-tag", fact.file, text)


def _manylinux_glibc(platform: str) -> Version | None:
    legacy = {"manylinux1_": "2.5", "manylinux2010_": "2.12", "manylinux2014_": "2.17"}
    for prefix, version in legacy.items():
        if platform.startswith(prefix):
            return Version(version)
    match = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    return Version(f"{match[1]}.{match[2]}") if match else None


def _check_promises(
    subject: str, facts: Sequence[FileFacts], promises: Promises
) -> Iterator[Finding]:
    if promises.neon and not any(fact.counts.get("neon") for fact in facts):
        yield finding("promise-neon", subject, "NEON is promised, and no file has any of it")
