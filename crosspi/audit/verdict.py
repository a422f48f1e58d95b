"""The audit: every ELF file of a wheel or a folder against the law of a target."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from mmap import mmap
from pathlib import Path

from packaging.version import Version

from crosspi.audit.elf.format import is_elf
from crosspi.audit.elf.rules import COMMON_BUILD_PATHS
from crosspi.audit.examined import HEAD, Terms, examine, has_code
from crosspi.audit.findings import FileFacts, Finding, Report, Severity, finding
from crosspi.audit.law import Law, Promises
from crosspi.audit.loading import Linkage, Loader
from crosspi.audit.memory import Memory
from crosspi.audit.spool import mapped, sha256_of
from crosspi.audit.wheelfile import Wheel, check_suffix, check_wheel, open_wheel
from crosspi.errors import NotAWheelError

_FOREIGN = {
    b"MZ": "a Windows program",
    b"\xfe\xed\xfa\xce": "a Mach-O file",
    b"\xfe\xed\xfa\xcf": "a Mach-O file",
    b"\xce\xfa\xed\xfe": "a Mach-O file",
    b"\xcf\xfa\xed\xfe": "a Mach-O file",
}
_PRELOADS = re.compile(rb"\bCDLL\b|\bLoadLibrary\b|\bRTLD_GLOBAL\b")
_OVERLAP = 32  # letters, more than any of these words has
_EXTENSION = re.compile(r"\.(so|pyd|dll|dylib)(\.[\w.]+)?$")


def audit_wheel(
    path: Path,
    law: Law,
    promises: Promises | None = None,
    build_paths: Sequence[str] = COMMON_BUILD_PATHS,
    *,
    own: bool = False,
    memory: Memory | None = None,
) -> Report:
    """The verdict over a wheel; raises NotAWheelError where there is no wheel to judge.

    Args:
        path: the wheel.
        law: of the board that it is held to.
        promises: what its recipe declares.
        build_paths: folders whose names must not be in its files.
        own: it is of our own making: what is our policy and no law is asked too.
        memory: what was found in such files before; none: all are examined.
    """
    wheel = open_wheel(path)
    with wheel.archive:
        law_of_name = _honest_floor(wheel, law)
        files = _Files(Terms(law_of_name, promises or Promises(), build_paths, own), memory)
        return _audit_open_wheel(wheel, law, files)


class _Files:
    """What was found in the files so far.

    Args:
        terms: what they are held to.
        memory: what was found in them before.
    """

    def __init__(self, terms: Terms, memory: Memory | None) -> None:
        self.terms = terms
        self._memory = memory
        self.facts: list[FileFacts] = []
        self.findings: list[Finding] = []
        self.linkages: list[Linkage] = []

    def add(self, data: bytes | mmap, name: str, sha256: str = "") -> tuple[Linkage, ...]:
        """One more; what the loader reads of it."""
        if self._memory is None:
            found = examine(data, name, self.terms)
        else:
            found = self._memory.examine(data, sha256 or sha256_of(data), name, self.terms)
        self.facts += found.facts
        self.findings += found.findings
        self.linkages += found.linkages
        return found.linkages


def _audit_open_wheel(wheel: Wheel, named: Law, files: _Files) -> Report:
    law, promises, own = files.terms.law, files.terms.promises, files.terms.own
    findings: list[Finding] = []
    for member in wheel.members:
        name = member.filename
        head = b"" if member.is_dir() else wheel.head(member, HEAD)
        if has_code(head):
            content = wheel.content(member)
            for link in files.add(content, name, wheel.hashed[name].hex()):
                if name.endswith(".so"):
                    findings += check_suffix(wheel, name, link.exports, law.soabi)
        else:
            findings += _check_other(wheel, name, head)
    # Last, since what was looked at is hashed already: it is not unpacked again.
    findings += check_wheel(wheel, named, own=own)
    findings += files.findings
    findings += Loader(files.linkages, law, preloads=lambda: _preloads(wheel)).check()
    findings += _check_house(files.linkages, law) if own else []
    findings += _check_kind(wheel, bool(files.facts), own)
    findings += _check_glibc_tag(wheel, files.facts)
    findings += _check_promises(wheel.path.name, files.facts, promises)
    return Report(wheel.path.name, law.name, wheel.sha256, tuple(files.facts), _ordered(findings))


def _preloads(wheel: Wheel) -> bool:
    """Whether Python code in the wheel may load libraries before its modules need them."""
    for member in wheel.members:
        if member.filename.endswith(".py"):
            before = b""
            for block in wheel.blocks(member):
                found = _PRELOADS.finditer(before + block)
                if any(match.end() > len(before) for match in found):
                    return True
                before = block[-_OVERLAP:]
    return False


def _check_house(files: Sequence[Linkage], law: Law) -> Iterator[Finding]:
    """Our own files need less than the board has."""
    for file in files:
        beyond = [name for name in file.needed if name in law.needed and name not in law.house]
        if law.house and beyond:
            yield finding("house-needed", file.name, f"it needs {', '.join(beyond)}")


def audit_tree(
    root: Path,
    law: Law,
    promises: Promises | None = None,
    build_paths: Sequence[str] = COMMON_BUILD_PATHS,
    *,
    own: bool = False,
    archives: bool = False,
    memory: Memory | None = None,
) -> Report:
    """The verdict over every ELF file below a folder, e.g. a whole userland.

    Args:
        root: the folder.
        law, promises, build_paths, own, memory: as for a wheel.
        archives: look into static libraries too.
    """
    if not root.is_dir():
        raise NotAWheelError("there is no such folder", where=str(root), fix="give a folder")
    promises = promises or Promises()
    files = _Files(Terms(law, promises, build_paths, own), memory)
    for path, head in _code_files(root):
        if archives or is_elf(head):
            files.add(mapped(path), path.relative_to(root).as_posix())
    findings = [*files.findings, *Loader(files.linkages, law, anywhere=True).check()]
    findings += _check_promises(str(root), files.facts, promises)
    return Report(str(root), law.name, "", tuple(files.facts), _ordered(findings))


def _code_files(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Regular ELF files and static libraries below a folder, each once whatever hard links it has.

    Yields:
        Each with its first bytes.
    """
    seen: set[tuple[int, int]] = set()
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = Path(folder, name)
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with path.open("rb") as stream:
                head = stream.read(HEAD)
            if has_code(head):
                yield path, head


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda item: (item.severity, item.file, item.code)))


def _check_other(wheel: Wheel, name: str, head: bytes) -> Iterator[Finding]:
    """Files of other systems; Python's own launchers for Windows may lie in any wheel."""
    kind = _FOREIGN.get(head[:4]) or _FOREIGN.get(head[:2])
    if kind and (_EXTENSION.search(name) or not wheel.is_any):
        severity: Severity = "note" if wheel.is_any or name.endswith(".exe") else "error"
        yield finding("foreign-machine", name, f"it is {kind}", severity=severity)
    elif _EXTENSION.search(name) and name.endswith(".so") and not head.startswith(b"/*"):
        if head[:4] in (b"INPU", b"GROU", b"OUTP"):
            return
        yield finding("elf-broken", name, "it is called .so, and is no ELF file")


def _check_kind(wheel: Wheel, has_elf: bool, own: bool) -> Iterator[Finding]:
    if wheel.is_any and has_elf:
        yield finding("any-with-elf", wheel.path.name, "its tag says any, and it holds ELF files")
    elif not wheel.is_any and not has_elf:
        platforms = ", ".join(sorted(wheel.platforms))
        text = f"it is for {platforms}, and holds no ELF file"
        severity: Severity = "error" if own else "note"
        yield finding("platform-without-elf", wheel.path.name, text, severity=severity)
    elif wheel.is_any:
        yield finding("pure-python", wheel.path.name, "it holds no machine code", severity="note")


def _promised_glibc(wheel: Wheel) -> list[Version]:
    """The glibc versions that a wheel's manylinux tags name (PEP 600)."""
    found = (_manylinux_glibc(platform) for platform in wheel.platforms)
    return [version for version in found if version is not None]


def _honest_floor(wheel: Wheel, law: Law) -> Law:
    """The law for a wheel whose name asks for a newer glibc than the law's floor.

    pip does not install it where the system's is older, so the name keeps the promise: if each of
    the tags by which the board's pip takes it does.
    """
    asked = [_manylinux_glibc(tag) for tag in wheel.platforms if law.accepts_platform(tag)]
    promised = [version for version in asked if version is not None]
    if not promised or len(promised) < len(asked) or min(promised) <= Version(law.glibc):
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
