"""What one file of a wheel says by itself: an ELF file, or a static library of them.

Whatever depends on the other files, or on the wheel's name, is not here: this can be remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap

from crosspi.audit.archives import MAGIC as ARCHIVE
from crosspi.audit.archives import members
from crosspi.audit.elf.format import BrokenElf, is_elf
from crosspi.audit.elf.rules import audit_elf
from crosspi.audit.findings import FileFacts, Finding, finding
from crosspi.audit.law import Law, Promises
from crosspi.audit.loading import Linkage, linkage
from crosspi.audit.spool import copied

#: So many bytes of a file tell what it is.
HEAD = len(ARCHIVE)


@dataclass(frozen=True)
class Terms:
    """What a file is held to.

    Attributes:
        law: of the board.
        promises: what its recipe declares.
        build_paths: folders whose names must not be in it.
        own: it is of our own making: what is our policy and no law is asked too.
    """

    law: Law
    promises: Promises
    build_paths: Sequence[str]
    own: bool


@dataclass(frozen=True)
class Examined:
    """What was found in one file: several ELF files where it is a static library."""

    facts: tuple[FileFacts, ...] = ()
    findings: tuple[Finding, ...] = ()
    linkages: tuple[Linkage, ...] = ()


def has_code(head: bytes) -> bool:
    """Whether a file that begins so is one to examine."""
    return is_elf(head) or head.startswith(ARCHIVE)


def examine(data: bytes | mmap, name: str, terms: Terms) -> Examined:
    """One file, by the bytes that are in it and the name that it has."""
    if is_elf(data):
        return _elf(data, name, terms)
    facts: list[FileFacts] = []
    findings: list[Finding] = []
    try:
        for member, body in members(data):
            if is_elf(body):
                found = _elf(copied(body), f"{name}({member})", terms)
                facts += found.facts
                findings += found.findings
    except BrokenElf as error:
        findings.append(finding("elf-broken", name, str(error)))
    return Examined(tuple(facts), tuple(findings))


def _elf(data: bytes | mmap, name: str, terms: Terms) -> Examined:
    facts, found = audit_elf(
        data, name, terms.law, terms.promises, build_paths=terms.build_paths, own=terms.own
    )
    link = linkage(data, name)
    return Examined((facts,), tuple(found), () if link is None else (link,))
