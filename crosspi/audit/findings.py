"""Findings: what is wrong, where, what it means on the board, and the way out; and the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from crosspi.audit.code import classes

#: Of the report as JSON: raised when a field goes or means something else.
SCHEMA = 1
Severity = Literal["error", "note"]
#: Whether it is so, or only looks so: code that nothing is known to lead to may be data. Many such
#: instructions are hardly data, and that a program ran does not clear them: it reached few of them.
#: `unproven`: nobody can tell from the file. Its library asks for the CPU before it uses such code,
#: unless it was built not to.
Certainty = Literal["certain", "likely", "unproven", "unclear"]
#: Of a file whose code was looked at to this share, its instructions are known.
SEEN = 0.9

_TRAPS = "the program dies with 'Illegal instruction' when it gets there"
_LOADER = "the import fails: the loader does not find what the file asks for"
_REBUILD = "rebuild with the target's compiler and flags; look for -march, -mcpu, -mfpu overrides"

CATALOGUE: dict[str, tuple[str, str]] = {
    "elf-broken": (
        "the import fails with 'file too short' or 'invalid ELF header'",
        "the file was cut off or damaged: build or download it again",
    ),
    "foreign-machine": (
        "the import fails with 'wrong ELF class' or 'cannot open shared object file'",
        "the file was made for another computer: compile it with the cross compiler, "
        "or leave it out of the wheel",
    ),
    "eabi-version": (
        "the loader of Raspberry Pi OS refuses or misreads the file",
        "rebuild with a compiler for the EABI (arm-linux-gnueabihf)",
    ),
    "float-abi": (
        "floating-point arguments arrive in the wrong registers, or the loader refuses the file",
        "compile for the hard-float ABI: target arm-linux-gnueabihf, -mfloat-abi=hard",
    ),
    "attr-missing": (
        "nobody can tell for which CPU the file was made",
        "keep the .ARM.attributes section: do not strip it, do not assemble without it",
    ),
    "attr-arch": ("the file is made for a newer CPU than the board's; " + _TRAPS, _REBUILD),
    "attr-fp": ("the file is made for a newer floating-point unit; " + _TRAPS, _REBUILD),
    "attr-simd": ("the file is made for a CPU with NEON that this law allows not", _REBUILD),
    "attr-thumb2": ("the file is made of Thumb-2 code, which the CPU does not know", _REBUILD),
    "attr-lies": (
        "the file declares code that the board can run, and holds code that it cannot",
        "one object was built with other flags, or has assembler with its own .arch or .fpu: "
        "find it by the function named here",
    ),
    "trapped": (
        "what was tried on the emulated board happens on the real one",
        _REBUILD + "; the findings about its instructions name the function",
    ),
    "isa-unreached": (
        "a part of the file's code could not be told from data, and was not looked at",
        "audit the file before it is stripped: its mapping symbols say what is code",
    ),
    "exec-stack": (
        "newer kernels and glibc refuse to load the file, and it makes exploits easier",
        "add .section .note.GNU-stack to assembler files, or link with -z noexecstack",
    ),
    "rpath": (
        "the loader looks for libraries in a folder that the board does not have, "
        "or that somebody else can write",
        "link without -rpath, or use $ORIGIN within the wheel",
    ),
    "build-path": (
        "nothing breaks, but the file tells where it was built, and two builds differ",
        "compile with -ffile-prefix-map=FOLDER=. and strip the debug information",
    ),
    "glibc-floor": (
        'the import fails with "version `GLIBC_...\' not found" on older systems',
        "link against the floor's glibc (zig: -target arm-linux-gnueabihf.2.28)",
    ),
    "glibc-tag": (
        "pip installs the wheel on systems whose glibc is too old for it",
        "name the wheel by the manylinux tag of the glibc that it needs",
    ),
    "gcc-floor": (
        "the import fails with \"version `GLIBCXX_...' (or `GCC_...') not found\": "
        "the system's gcc libraries are older",
        "link libstdc++ and libgcc statically (zig does), or build with an older compiler",
    ),
    "house-needed": (
        "it runs, as long as the system's library stays what it is",
        "link the library statically, as everything else here (zig does)",
    ),
    "carried-not-found": (
        _LOADER,
        "link with -rpath,'$ORIGIN/...' to where the library lies, as auditwheel does",
    ),
    "undefined-symbol": (
        "the import fails with 'undefined symbol'",
        "link the library that has it: libatomic for __atomic_*, libgcc for __aeabi_* and __sync_*",
    ),
    "foreign-needed": (
        _LOADER,
        "link the library statically, or carry it in the wheel",
    ),
    "soabi-suffix": (
        "Python does not see the extension module: ModuleNotFoundError",
        "build for the Python that the wheel is named for; do not rename wheels",
    ),
    "platform-tag": (
        "pip says 'is not a supported wheel on this platform'",
        "build for this target; a wheel for another platform cannot be renamed",
    ),
    "name-form": (
        "nothing breaks: pip goes by the file's name, and that is right",
        "let the build back end write the name",
    ),
    "tag-mismatch": (
        "pip installs by the file name what was built for something else",
        "use the wheel under the name it was built with",
    ),
    "name-mismatch": (
        "pip refuses the wheel, or installs it as another package",
        "use the wheel under the name it was built with",
    ),
    "record-mismatch": (
        "pip refuses the wheel, or leaves files behind when it is uninstalled",
        "make the wheel again: its contents were changed after RECORD was written",
    ),
    "metadata-invalid": (
        "pip cannot tell what the wheel is or what it needs",
        "correct the package's metadata and build it again",
    ),
    "python-requires": (
        "pip refuses the wheel for the very Python it is named for",
        "build a version of the package that supports this Python",
    ),
    "any-with-elf": (
        "pip installs it on every computer, and it runs on few",
        "name the wheel for its platform (Root-Is-Purelib: false)",
    ),
    "platform-without-elf": (
        "pip installs it, and Python code runs; but if an extension was left out by the build, "
        "the package is slow or broken",
        "look at why there is no extension; or name the wheel py3-none-any",
    ),
    "promise-neon": (
        "the package works, and is several times slower than it should be",
        "build with NEON (-mfpu=neon-vfpv4), or take the promise out of the recipe",
    ),
    "pure-python": ("it runs wherever Python runs", "nothing to do"),
}
CATALOGUE |= {
    f"isa-{name}": (
        f"it holds {classes.WORDS[name]} instructions that the board's CPU does not have: {_TRAPS}",
        _REBUILD + "; or, where they are chosen at run time, declare them under `dispatched`",
    )
    for name in classes.NAMES
}

_NOT_DECIDABLE = (
    "it runs, if its cryptography asks for the CPU before it uses them: OpenSSL does, and its "
    f"relatives (BoringSSL, aws-lc, ring) do unless they are built not to; else {_TRAPS}",
    "use its encryption on the board, or see how it was built: OPENSSL_STATIC_ARMCAP and "
    "-march=armv8-a+crypto take the question away; our own recipes say it under `dispatched`",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one file, or worth knowing about it."""

    code: str
    file: str
    message: str
    where: str
    board: str
    fix: str
    severity: Severity = "error"
    certainty: Certainty = "certain"


def finding(
    code: str,
    file: str,
    message: str,
    *,
    where: str = "",
    severity: Severity = "error",
    certainty: Certainty = "certain",
) -> Finding:
    """A finding with the catalogue's words for its code."""
    board, fix = _NOT_DECIDABLE if certainty == "unproven" else CATALOGUE[code]
    return Finding(code, file, message, where, board, fix, severity, certainty)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one ELF file is.

    `dispatched` says why instructions beyond the law are no findings, and how many of which class
    they are: code that is chosen at run time, as a recipe declares or as the audit knows it.
    """

    file: str
    size: int
    machine: str
    arch: str = ""
    fp: str = ""
    simd: str = ""
    glibc: str = ""
    method: str = ""
    instructions: int = 0
    coverage: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    dispatched: dict[str, str] = field(default_factory=dict)
    trials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict over a wheel, a file or a folder."""

    subject: str
    law: str
    sha256: str
    files: tuple[FileFacts, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(item for item in self.findings if item.severity == "error")

    @property
    def ok(self) -> bool:
        return not self.errors

    @property
    def unseen(self) -> tuple[FileFacts, ...]:
        """The files of whose code too little was looked at to know it."""
        return tuple(facts for facts in self.files if facts.method and facts.coverage < SEEN)

    @property
    def verdict(self) -> str:
        """`proven` or `refused`; `undecided` where the evidence for neither is enough."""
        if any(item.certainty == "certain" for item in self.errors):
            return "refused"
        return "undecided" if self.errors or self.unseen else "proven"

    @property
    def evidence(self) -> str:
        """What the verdict rests on, in words."""
        told = []
        for method in dict.fromkeys(facts.method for facts in self.files if facts.method):
            files = [facts for facts in self.files if facts.method == method]
            least = min(facts.coverage for facts in files)
            more = " or more" if least < 1 else ""
            told.append(f"the code of {_files(len(files))} by {method} ({least:.0%}{more} of it)")
        chosen = sum(bool(facts.dispatched) for facts in self.files)
        told += [f"{_files(chosen)} with code that is chosen at run time"] if chosen else []
        tried = sum(bool(facts.trials) for facts in self.files)
        told += [f"{_files(tried)} tried on the emulated board"] if tried else []
        return ", ".join(told) or "no machine code"

    def to_dict(self) -> dict[str, Any]:
        about = {"verdict": self.verdict, "evidence": self.evidence}
        return {"schema": SCHEMA, "ok": self.ok, **about, **asdict(self)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    def to_text(self) -> str:
        """A table of the files, then the findings."""
        lines = [f"{self.subject}: {self._verdict()}"]
        if self.law:
            lines.append(f"law     {self.law}")
        if self.sha256:
            lines.append(f"sha256  {self.sha256}")
        lines.append(f"seen    {self.evidence}")
        if self.files:
            lines += ["", *_table(self.files)]
        chosen = [
            f"chosen at run time in {facts.file}: {what or 'nothing'} ({why})"
            for facts in self.files
            for why, what in facts.dispatched.items()
        ]
        if chosen:
            lines += ["", *chosen]
        tried = [f"{facts.file}: {words}" for facts in self.files for words in facts.trials]
        if tried:
            lines += ["", *tried]
        for item in self.findings:
            lines += ["", *_show(item)]
        return "\n".join(lines) + "\n"

    def _verdict(self) -> str:
        notes = len(self.findings) - len(self.errors)
        told = [f"{len(self.errors)} error{'s' * (len(self.errors) != 1)}"] if self.errors else []
        told += [f"{notes} note{'s' * (notes != 1)}"] if notes else []
        words = {"proven": "passes", "refused": "FAILS", "undecided": "passes, not proven"}
        undecided = "UNDECIDED, neither proven nor refused"
        word = words[self.verdict] if self.ok or self.verdict == "refused" else undecided
        return f"{word} ({', '.join([_files(len(self.files)), *told])})"


def _files(number: int) -> str:
    return f"{number} ELF file{'s' * (number != 1)}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A wheel under the law of each board whose pip takes it."""

    reports: tuple[Report, ...]

    @property
    def ok(self) -> bool:
        return all(report.ok for report in self.reports)

    def to_json(self) -> str:
        """One report as it is, several in a list."""
        if len(self.reports) == 1:
            return self.reports[0].to_json()
        data = {"schema": SCHEMA, "ok": self.ok, "reports": [r.to_dict() for r in self.reports]}
        return json.dumps(data, indent=2, sort_keys=True) + "\n"

    def to_text(self) -> str:
        return "\n".join(report.to_text() for report in self.reports)


def _table(files: Sequence[FileFacts]) -> list[str]:
    rows = [("file", "arch", "fp", "simd", "glibc", "instructions", "of which")]
    for facts in files:
        counts = ", ".join(f"{name} {number}" for name, number in facts.counts.items())
        rows.append(
            (
                facts.file,
                facts.arch or facts.machine,
                facts.fp or "-",
                facts.simd or "-",
                facts.glibc or "-",
                str(facts.instructions),
                counts or "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


_DOUBTS: dict[Certainty, str] = {
    "certain": "",
    "likely": " (likely: nothing is known to lead there, but they are too many to be data)",
    "unproven": " (not decidable: in assembly of OpenSSL's, which asks for the CPU, unless it was "
    "built not to)",
    "unclear": " (unclear: nothing is known to lead there)",
}


def _doubt(item: Finding) -> str:
    declared = item.code.startswith("attr-") and item.code != "attr-lies"
    if declared and item.certainty != "certain":
        return " (no more certain than what is said of its instructions)"
    return _DOUBTS[item.certainty]


def _show(item: Finding) -> list[str]:
    place = f"{item.file} at {item.where}" if item.where else item.file
    return [
        f"{item.severity} {item.code}: {item.message}{_doubt(item)}",
        f"  where: {place}",
        f"  board: {item.board}",
        f"  fix:   {item.fix}",
    ]
