"""A wheel as a file: opened without trust, and checked against what it says about itself.

Sources: PEP 427 (the format, RECORD), PEP 425 and PEP 600 (tags), PEP 3149 (extension suffixes),
PEP 384 (abi3), the core metadata specification and PEP 440. Input that is no wheel, or that
tries to do harm when it is unpacked, is refused with `NotAWheelError`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from mmap import mmap
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, parse_tag
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from crosspi.audit.findings import Finding, finding
from crosspi.audit.law import Law
from crosspi.audit.spool import IN_MEMORY, keep
from crosspi.errors import NotAWheelError

MAX_MEMBERS = 100_000
MAX_MEMBER = 2 << 30
MAX_TOTAL = 4 << 30
MAX_READ = 64 << 20  # of names, tags and lists of files
MAX_RATIO = 500
RATIO_FROM = 16 << 20

_HASHES = ("sha256", "sha384", "sha512")
_SUFFIX = re.compile(
    r"(?P<module>[^.]+)\.(?:(?P<stable>abi3)|cpython-(?P<cpython>\d+[a-z]*)|(?P<other>pypy[^-.]*)"
    r"|(?P<bare>(?:[a-z0-9_]+-)+(?:gnu|musl|android)[a-z0-9]*))(?:-(?P<platform>[^.]+))?\.so"
)


@dataclass(frozen=True)
class Wheel:
    """A wheel that is safe to read."""

    path: Path
    archive: zipfile.ZipFile
    sha256: str
    name: str
    version: Version
    build: str
    tags: frozenset[Tag]
    members: tuple[zipfile.ZipInfo, ...]
    dist_info: str
    hashed: dict[str, bytes] = field(default_factory=dict, compare=False)

    @property
    def pythons(self) -> set[str]:
        return {tag.interpreter for tag in self.tags}

    @property
    def platforms(self) -> set[str]:
        return {tag.platform for tag in self.tags}

    @property
    def is_any(self) -> bool:
        return self.platforms == {"any"}

    def read(self, member: str | zipfile.ZipInfo) -> bytes:
        """The bytes of a member, no more of them than its header says.

        Raises:
            NotAWheelError: they cannot be unpacked, or are too many to be read at once.
        """
        info = self.archive.getinfo(member) if isinstance(member, str) else member
        if info.file_size > MAX_READ:
            text = f"a member that is read as a whole has {info.file_size} bytes"
            raise _refuse(self.path, text, info.filename)
        with self._unpacking(info.filename):
            return self.archive.read(info)

    def content(self, member: zipfile.ZipInfo) -> bytes | mmap:
        """The bytes of a member, the bigger ones in a file without a name; `hashed` as it is read.

        A mapped file's memory is the system's to take back. It goes when nobody refers to it.
        """
        if member.file_size <= IN_MEMORY:
            data = self.read(member)
            self.hashed[member.filename] = hashlib.sha256(data).digest()
            return data
        real = hashlib.sha256()

        def hashing() -> Iterator[bytes]:
            for block in self.blocks(member):
                real.update(block)
                yield block

        mapped = keep(hashing())
        self.hashed[member.filename] = real.digest()
        return mapped

    def blocks(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        """The bytes of a member, piece by piece."""
        with self._unpacking(member.filename), self.archive.open(member) as stream:
            while block := stream.read(1 << 20):
                yield block

    def head(self, member: zipfile.ZipInfo, size: int = 4) -> bytes:
        """The first bytes of a member."""
        with self._unpacking(member.filename), self.archive.open(member) as stream:
            return stream.read(size)

    @contextmanager
    def _unpacking(self, name: str) -> Iterator[None]:
        """Refuses the wheel if a member cannot be unpacked."""
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            if isinstance(error, NotImplementedError):
                text = f"its compression is not known ({error})"
            else:
                text = f"its member cannot be unpacked ({error})"
            raise _refuse(self.path, text, name) from error

    def info(self, file: str) -> str:
        return f"{self.dist_info}/{file}"

    def has(self, member: str) -> bool:
        return any(item.filename == member for item in self.members)


def open_wheel(path: Path) -> Wheel:
    """Opens a wheel, or says why it is none."""
    try:
        digest = _sha256(path)
    except OSError as error:
        raise NotAWheelError(
            f"cannot be read: {error.strerror}", where=str(path), fix="give the path of a wheel"
        ) from error
    if path.stat().st_size == 0:
        raise _refuse(path, "the file is empty", fix="download or build it again")
    try:
        name, version, build, tags = parse_wheel_filename(path.name)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise _refuse(
            path,
            f"its name is not a wheel's ({error})",
            fix="wheels are called NAME-VERSION-PYTHON-ABI-PLATFORM.whl",
        ) from error
    try:
        archive = zipfile.ZipFile(path)
        members = tuple(archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _refuse(
            path,
            f"it is no zip archive, or was cut off ({error})",
            fix="download or build it again",
        ) from error
    try:
        _refuse_hostile(path, members)
        dist_info = _dist_info(path, members)
    except NotAWheelError:
        archive.close()
        raise
    number = f"{build[0]}{build[1]}" if build else ""
    return Wheel(path, archive, digest, name, version, number, tags, members, dist_info)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse(path: Path, what: str, member: str = "", *, fix: str = "") -> NotAWheelError:
    where = f"{path}: {member}" if member else str(path)
    return NotAWheelError(what, where=where, fix=fix or "do not install it; ask where it is from")


def _refuse_hostile(path: Path, members: tuple[zipfile.ZipInfo, ...]) -> None:
    if len(members) > MAX_MEMBERS:
        raise _refuse(path, f"it has {len(members)} members, more than {MAX_MEMBERS}")
    seen: set[str] = set()
    total = 0
    for member in members:
        name = member.filename
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or re.match(r"[A-Za-z]:", name):
            raise _refuse(path, "a member would be written outside the folder", name)
        if not name or any(ord(char) < 32 for char in name):
            raise _refuse(path, "a member's name has control characters", repr(name))
        mode = member.external_attr >> 16
        if member.create_system == 3 and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _refuse(path, "a member is a link or a device", name)
        if member.flag_bits & 1:
            raise _refuse(path, "a member is encrypted", name)
        key = str(PurePosixPath(name))
        if key in seen:
            raise _refuse(
                path, "a member is there twice: installers differ in which they take", name
            )
        seen.add(key)
        total += member.file_size
        ratio = member.file_size / max(member.compress_size, 1)
        if member.file_size > MAX_MEMBER or (ratio > MAX_RATIO and member.file_size > RATIO_FROM):
            raise _refuse(
                path, f"a member unpacks to {member.file_size} bytes: an archive bomb", name
            )
    if total > MAX_TOTAL:
        raise _refuse(path, f"it unpacks to {total} bytes, more than {MAX_TOTAL}")


def _dist_info(path: Path, members: tuple[zipfile.ZipInfo, ...]) -> str:
    folders = {
        member.filename.split("/")[0]
        for member in members
        if member.filename.split("/")[0].endswith(".dist-info") and "/" in member.filename
    }
    if len(folders) != 1:
        what = f"it has {len(folders)} .dist-info folders" if folders else "it has no .dist-info"
        raise _refuse(path, f"{what}; a wheel has one (PEP 427)", fix="it is some other archive")
    folder = folders.pop()
    if not any(member.filename == f"{folder}/WHEEL" for member in members):
        raise _refuse(path, "it has no WHEEL file (PEP 427)", folder, fix="build it again")
    return folder


def check_wheel(wheel: Wheel, law: Law, *, own: bool = False) -> Iterator[Finding]:
    """Everything that a wheel says about itself, against itself and the law."""
    yield from check_names(wheel)
    yield from check_tags(wheel, own=own)
    yield from check_platform(wheel, law)
    yield from check_metadata(wheel)
    yield from check_record(wheel)


def _headers(wheel: Wheel, file: str) -> Message:
    return BytesParser().parsebytes(wheel.read(wheel.info(file)))


def check_names(wheel: Wheel) -> Iterator[Finding]:
    """The file's name, the .dist-info folder's, and METADATA's name and version agree."""
    found = [("the .dist-info folder", *wheel.dist_info[: -len(".dist-info")].partition("-")[::2])]
    if wheel.has(wheel.info("METADATA")):
        metadata = _headers(wheel, "METADATA")
        found.append(("METADATA", str(metadata["Name"] or ""), str(metadata["Version"] or "")))
    for source, name, version in found:
        where = wheel.info("METADATA") if source == "METADATA" else wheel.dist_info
        if canonicalize_name(name) != wheel.name:
            yield finding(
                "name-mismatch", where, f"the file is called {wheel.name}, {source} says {name!r}"
            )
        try:
            same = Version(version) == wheel.version
        except InvalidVersion:
            same = False
        if not same:
            yield finding(
                "name-mismatch", where, f"the file is version {wheel.version}, {source} {version!r}"
            )


def check_tags(wheel: Wheel, *, own: bool = False) -> Iterator[Finding]:
    """The tags in the file's name are those of WHEEL (PEP 427: "Tag is the wheel's expanded").

    Installers go by the name. That others' names speak of more generic Pythons than WHEEL, or of
    another build number, harms nobody.
    """
    headers, where = _headers(wheel, "WHEEL"), wheel.info("WHEEL")
    rows = [str(row).strip() for row in headers.get_all("Tag") or []]
    declared: set[Tag] = set()
    for row in rows:
        if row.count("-") != 2:
            yield finding("tag-mismatch", where, f"not a tag: {row!r}")
        else:
            declared |= parse_tag(row)
    if declared != wheel.tags:
        text = f"the file's name says {_tag_list(wheel.tags)}, WHEEL {_tag_list(declared)}"
        if not own and _but_for_generic(declared) == _but_for_generic(wheel.tags):
            yield finding("name-form", where, text, severity="note")
        else:
            yield finding("tag-mismatch", where, text)
    build = str(headers["Build"] or "").strip()
    if build != wheel.build:
        text = f"the file's name has build number {wheel.build!r}, WHEEL {build!r}"
        if own or build:
            yield finding("tag-mismatch", where, text)
        else:
            yield finding("name-form", where, text, severity="note")


def _but_for_generic(tags: frozenset[Tag] | set[Tag]) -> set[tuple[str, str, str]]:
    """The tags with all of py2, py3, py310 taken for one."""
    return {
        ("py" if tag.interpreter.startswith("py") else tag.interpreter, tag.abi, tag.platform)
        for tag in tags
    }


def _tag_list(tags: frozenset[Tag] | set[Tag]) -> str:
    return ", ".join(sorted(map(str, tags))) or "no tag"


def check_platform(wheel: Wheel, law: Law) -> Iterator[Finding]:
    """The wheel is one that pip takes on the board."""
    if wheel.is_any:
        return
    if not any(law.accepts_platform(platform) for platform in wheel.platforms):
        platforms = ", ".join(sorted(wheel.platforms))
        text = f"it is for {platforms}; the board takes {law.platform}"
        yield finding("platform-tag", wheel.path.name, text)


def check_metadata(wheel: Wheel) -> Iterator[Finding]:
    """Requires-Python and Requires-Dist can be read, and hold for the Python of the tag."""
    where = wheel.info("METADATA")
    if not wheel.has(where):
        yield finding("metadata-invalid", where, "METADATA is missing")
        return
    metadata = _headers(wheel, "METADATA")
    if not metadata["Metadata-Version"]:
        yield finding("metadata-invalid", where, "Metadata-Version is missing")
    for row in metadata.get_all("Requires-Dist") or []:
        try:
            requirement = Requirement(str(row))
        except InvalidRequirement as error:
            text = f"Requires-Dist cannot be read: {str(error).splitlines()[0]}"
            yield finding("metadata-invalid", where, text)
            continue
        if requirement.url:
            text = f"Requires-Dist names a URL, which an index cannot serve: {requirement}"
            yield finding("metadata-invalid", where, text)
    try:
        spec = SpecifierSet(str(metadata["Requires-Python"] or ""))
    except InvalidSpecifier as error:
        yield finding("metadata-invalid", where, f"Requires-Python cannot be read: {error}")
        return
    refused = {p for p in wheel.pythons if not _python_allowed(p, wheel.tags, spec)}
    if refused < wheel.pythons:
        # py2.py3 stands for any Python: the requirement says which.
        refused = {python for python in refused if not python.startswith("py")}
    for python in sorted(refused):
        yield finding("python-requires", where, f"it is for {python}, but requires {spec}")


def _python_allowed(python: str, tags: frozenset[Tag], spec: SpecifierSet) -> bool:
    match = re.fullmatch(r"(?:cp|pp|py)(\d)(\d*)", python)
    if not match:
        return True
    major, minor = match[1], match[2]
    stable = any(tag.interpreter == python and tag.abi == "abi3" for tag in tags)
    generic = python.startswith("py")
    if not minor:
        minors = [str(number) for number in range(40)]
    elif stable or generic:
        minors = [str(number) for number in range(int(minor), 40)]
    else:
        minors = [minor]
    return any(
        spec.contains(f"{major}.{number}.{micro}", prereleases=True)
        for number in minors
        for micro in (0, 1, 5, 10, 20, 99)
    )


def check_record(wheel: Wheel) -> Iterator[Finding]:
    """RECORD lists every file, with its true hash and size (PEP 427, PEP 376)."""
    where = wheel.info("RECORD")
    if not wheel.has(where):
        yield finding("record-mismatch", where, "RECORD is missing")
        return
    rows = dict(_record_rows(wheel))
    exempt = {where, where + ".jws", where + ".p7s"}
    for member in wheel.members:
        name = member.filename
        if member.is_dir() or name in exempt:
            continue
        if name not in rows:
            yield finding("record-mismatch", name, "it is in the wheel, but not in RECORD")
            continue
        yield from _check_row(wheel, member, *rows[name])
    present = {member.filename for member in wheel.members}
    for name in rows:
        if name not in present:
            yield finding("record-mismatch", name, "RECORD lists it, but it is not in the wheel")


def _record_rows(wheel: Wheel) -> Iterator[tuple[str, tuple[str, str]]]:
    text = wheel.read(wheel.info("RECORD")).decode("utf-8", "replace")
    try:
        for row in csv.reader(io.StringIO(text, newline="")):
            if row:
                name, digest, size = (*row, "", "")[:3]
                yield name, (digest, size)
    except csv.Error:
        return


def _check_row(wheel: Wheel, member: zipfile.ZipInfo, digest: str, size: str) -> Iterator[Finding]:
    name = member.filename
    kind, _, value = digest.partition("=")
    if kind not in _HASHES:
        text = (
            f"RECORD has no hash of SHA-2 for it, but {digest!r}"
            if digest
            else "RECORD has no hash"
        )
        yield finding("record-mismatch", name, text)
        return
    if size and size != str(member.file_size):
        text = f"RECORD says {size} bytes, it has {member.file_size}"
        yield finding("record-mismatch", name, text)
        return
    seen = wheel.hashed.get(name) if kind == "sha256" else None
    if seen is None:
        real = hashlib.new(kind)
        for block in wheel.blocks(member):
            real.update(block)
        seen = real.digest()
    if base64.urlsafe_b64encode(seen).rstrip(b"=").decode() != value.rstrip("="):
        yield finding("record-mismatch", name, f"its {kind} is not the one in RECORD")


def check_suffix(
    wheel: Wheel, member: str, exported: Container[str], soabi: str
) -> Iterator[Finding]:
    """An extension module's suffix is one that the wheel's Pythons look for (PEP 3149)."""
    base = PurePosixPath(member).name
    match = _SUFFIX.fullmatch(base)
    cpythons = {tag for tag in wheel.tags if tag.interpreter.startswith("cp")}
    if match and match["platform"] and match["platform"] != soabi:
        text = f"the suffix is for {match['platform']}; the board's Python looks for {soabi}"
        yield finding("soabi-suffix", member, text)
    if match and match["cpython"]:
        wanted = f"cp{match['cpython']}"
        plain = "cp" + re.sub(r"\D", "", match["cpython"])
        fits = any(
            tag.abi == wanted or (tag.abi in ("none", plain) and tag.interpreter == plain)
            for tag in wheel.tags
        )
        if not fits:
            text = f"it is built for {wanted}, the wheel is named for {_abis(wheel.tags)}"
            yield finding("soabi-suffix", member, text)
    elif match and match["stable"] and any(tag.interpreter == "cp2" for tag in cpythons):
        yield finding("soabi-suffix", member, "Python 2 does not know the stable ABI")
    yield from _check_init(member, base.split(".")[0], exported, cpythons)


def _abis(tags: frozenset[Tag]) -> str:
    return ", ".join(sorted({f"{tag.interpreter}-{tag.abi}" for tag in tags}))


def _check_init(
    member: str, module: str, exported: Container[str], cpythons: set[Tag]
) -> Iterator[Finding]:
    """A module of Python 2 exports initNAME, one of Python 3 PyInit_NAME."""
    majors = {tag.interpreter[2:3] for tag in cpythons}
    old, new = f"init{module}" in exported, f"PyInit_{module}" in exported
    if old and not new and majors == {"3"}:
        yield finding("soabi-suffix", member, f"it exports init{module}: a module for Python 2")
    if new and not old and majors == {"2"}:
        yield finding("soabi-suffix", member, f"it exports PyInit_{module}: a module for Python 3")
