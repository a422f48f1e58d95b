"""The cache of sources: from a pinned `Source` to a path on this machine.

Below its root lie `trees/<hex>/` (unpacked) and `files/<hex>/<name>` (kept as files), each with
a mark `<hex>.json` beside it by which damage is seen; `archives/<sha256>/<name>`, so that
several sources from one archive fetch it once; `downloads/` (parts); `locks/`. What is there
under its final name is complete: everything arrives by rename.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from crosspi.caches import make_cache
from crosspi.data.globs import Selection
from crosspi.data.source import (
    LocalOrigin,
    Origin,
    Source,
)
from crosspi.errors import (
    CrosspiError,
    DiskFullError,
    Interrupted,
    SourceError,
    from_os_error,
)
from crosspi.files import file_sha256
from crosspi.sources import fingerprint, maven
from crosspi.sources.download import Network, Progress
from crosspi.sources.failing import all_failed, wrong_tree
from crosspi.sources.origins import Origins, checked
from crosspi.sources.projects import Project
from crosspi.sources.pypi import PipConfig, pip_config
from crosspi.sources.site import SiteFolder
from crosspi.sources.treehash import tree_hash
from crosspi.sources.unpack import staging_prefix, unpack
from crosspi.sources.writer import Limits


@dataclass(frozen=True)
class Measured:
    """What `SourceCache.measure` found.

    Attributes:
        pin: `sha256:<hex>`, to be put into the recipe as `tree` or `file`.
        origin: the origin it was made from.
        sha256: of the archive, in hexadecimal; None for a folder.
        files: how many files and links.
        size: bytes of them.
    """

    pin: str
    origin: str
    sha256: str | None
    files: int
    size: int


class SourceCache:
    """Fetches sources and keeps them.

    Args:
        root: the folder of the cache; made when needed.
        extra: the folder CROSSPI_SOURCES names, looked into before any origin.
        offline: open no socket.
        repositories: gives the URIs of the Debian repositories; called when first needed.
        log: gets one line for each thing worth knowing.
        progress: see `download.Progress`.
        pip: gives the configuration of pip; called when first needed.
        central: gives the address of Maven's central repository; called when needed.
        network: time-outs and tries; `offline` wins over its own.
        limits: how much an archive may unpack to.
    """

    def __init__(
        self,
        root: Path,
        *,
        extra: Path | None = None,
        offline: bool = False,
        repositories: Callable[[], Sequence[str]] = tuple,
        log: Callable[[str], None] = lambda _line: None,
        progress: Progress | None = None,
        pip: Callable[[], PipConfig] = pip_config,
        central: Callable[[], str] = maven.repository,
        network: Network | None = None,
        limits: Limits | None = None,
    ) -> None:
        network = network or Network()
        self.root = root
        self._log = log
        self._limits = limits or Limits()
        self._origins = Origins(
            network=replace(network, offline=offline or network.offline),
            repositories=repositories,
            central=central,
            pip=pip,
            progress=progress,
        )
        self._site = SiteFolder(extra, root / "site-index.json") if extra else None

    # --- what others call ----------------------------------------------------------------

    def path(self, source: Source) -> Path:
        """Where a source lies once it is fetched; nothing is looked at."""
        if source.kind == "tree":
            return self.root / "trees" / source.digest
        return self.root / "files" / source.digest / source.filename

    def fetch(self, name: str, source: Source, *, base: Path = Path()) -> Path:
        """The unpacked tree (a folder), or the file, of a source.

        Args:
            name: the name of the source, for messages and for CROSSPI_SOURCES.
            source: what to fetch.
            base: the recipe's folder, at which relative `local` paths start.

        Raises:
            SourceError: no origin could be used; lists each one's reason.
            ArchiveError: the same, where every origin's archive was bad.
            DiskFullError: no space left; nothing half-written stays.
        """
        if not source.pinned:
            raise SourceError(
                f"the source '{name}' is not pinned",
                fix="`invoke fetch --recipe RECIPE` prints the hash to put into the recipe",
            )
        with self._os_errors(f"fetching {name}"):
            if not self._intact(source):
                with self._lock(f"{source.kind}-{source.digest}", name):
                    if not self._intact(source) and not self._reread(source):
                        self._fetch(name, source, base)
        return self.path(source)

    def verify(self, source: Source) -> bool:
        """Reads a cached source again; throws it away and returns False where it is damaged.

        False as well where it is not in the cache.
        """
        with (
            self._os_errors("verifying a source"),
            self._lock(f"{source.kind}-{source.digest}", source.digest[:12]),
        ):
            return self._reread(source)

    def measure(self, name: str, source: Source, *, base: Path = Path()) -> Measured:
        """Fetches a source by its first origin that works and computes its pin.

        For maintainers: the pin that the source has, if any, is not looked at. The result
        stays in the cache.

        Raises:
            SourceError, ArchiveError, DiskFullError: as `fetch`.
        """
        failures: list[tuple[str, CrosspiError]] = []
        with self._os_errors(f"fetching {name}"):
            for origin in source.origins:
                try:
                    return self._measure(source, origin, base)
                except (DiskFullError, Interrupted):
                    raise
                except CrosspiError as error:
                    self._failed(name, origin.label, error, failures)
        raise all_failed(name, source, failures)

    def fetch_unpinned(self, name: str, source: Source) -> Path:
        """Fetch what has no pin yet, and hold it to the one that it gets thereby (see `fetch`)."""
        pin = self.measure(name, source).pin
        return self.fetch(name, source.model_copy(update={source.kind: pin}))

    def project(self, name: str) -> Project:
        """What the user's package index says of a project (see `PypiIndexes.project`)."""
        return self._origins.project(name)

    # --- one source ----------------------------------------------------------------------

    def _fetch(self, name: str, source: Source, base: Path) -> None:
        failures: list[tuple[str, CrosspiError]] = []
        attempts = [(f"CROSSPI_SOURCES {label}", run) for label, run in self._on_site(name, source)]
        attempts += [
            (origin.label, partial(self._from_origin, source, origin, base))
            for origin in source.origins
        ]
        for label, run in attempts:
            try:
                run()
            except (DiskFullError, Interrupted):
                raise
            except CrosspiError as error:  # an engine that is not there, no pip: the next one
                self._failed(name, label, error, failures)
            else:
                self._log(f"{name}: from {label}")
                return
        raise all_failed(name, source, failures)

    def _failed(
        self,
        name: str,
        label: str,
        error: CrosspiError,
        failures: list[tuple[str, CrosspiError]],
    ) -> None:
        failures.append((label, error))
        why = error.why.splitlines()[0] if error.why else ""
        self._log(f"{name}: not from {label}: {error.what}" + (f" ({why})" if why else ""))

    def _on_site(self, name: str, source: Source) -> Iterator[tuple[str, Callable[[], None]]]:
        """What CROSSPI_SOURCES may have of a source, and how to take it."""
        site = self._site
        if site is None:
            return
        if not site.folder.is_dir():
            self._log(f"{name}: CROSSPI_SOURCES: {site.folder} is no folder")
            return
        make_cache(self.root)
        if source.kind == "file":
            found = site.by_hash([source.digest])
            named = site.by_name(origin.filename for origin in source.origins)
            for file in _once([*([found] if found else []), *named]):
                yield file.name, partial(self._take_file, source, file)
            return
        if folder := site.tree(source.digest, name):
            yield folder.name, partial(self._take_tree, source, folder, Selection(0), False)
        for origin in source.origins:
            if isinstance(origin, LocalOrigin):
                continue
            found = site.by_hash([origin.sha256] if origin.sha256 else [])
            for file in _once([*([found] if found else []), *site.by_name([origin.filename])]):
                selection = source.selection(origin)
                checked = origin.sha256 is not None and site.sha256(file) == origin.sha256
                yield file.name, partial(self._take_tree, source, file, selection, checked)

    def _from_origin(self, source: Source, origin: Origin, base: Path) -> None:
        expected = source.digest if source.kind == "file" else origin.sha256
        with self._archive(origin, expected, base) as archive:
            if source.kind == "file":
                self._take_file(source, archive)
            else:
                checked = None if origin.sha256 is None else True
                self._take_tree(source, archive, source.selection(origin), checked)

    def _take_file(self, source: Source, file: Path) -> None:
        actual = file_sha256(file)
        if actual != source.digest:
            raise SourceError(
                "the file is not the pinned one",
                where=str(file),
                why=f"expected sha256 {source.digest}\nactual   sha256 {actual}",
                fix="put the right file there, or remove it",
            )
        target = self.path(source)
        with self._staging(target.parent) as staging:
            _copy(file, staging / target.name)
            self._land(staging, target.parent)

    def _take_tree(
        self, source: Source, archive: Path, selection: Selection, checked: bool | None
    ) -> None:
        """`checked`: whether the archive's own sha256 is the pinned one; None if unknown."""
        target = self.path(source)
        with self._staging(target) as staging:
            self._unpack(archive, staging / "tree", selection)
            actual = tree_hash(staging / "tree")
            if actual != source.pin:
                raise wrong_tree(archive, source.pin, actual, checked)
            self._land(staging / "tree", target)

    def _unpack(self, archive: Path, into: Path, selection: Selection) -> int:
        return unpack(
            archive,
            into,
            strip=selection.strip,
            subdir=selection.subdir,
            include=selection.include,
            exclude=selection.exclude,
            limits=self._limits,
        )

    def _measure(self, source: Source, origin: Origin, base: Path) -> Measured:
        with self._staging(self.root / "trees" / "measured") as staging:
            with self._archive(origin, origin.sha256, base) as archive:
                sha256 = None if archive.is_dir() else file_sha256(archive)
                if source.kind == "file":
                    _copy(archive, staging / "file" / source.filename)
                    pin = f"sha256:{sha256}"
                else:
                    self._unpack(archive, staging / "tree", source.selection(origin))
                    pin = tree_hash(staging / "tree")
            pinned = source.model_copy(update={source.kind: pin})
            entry = self._entry(pinned)
            with self._lock(f"{source.kind}-{pinned.digest}", origin.filename):
                if not self._intact(pinned):
                    entry.parent.mkdir(parents=True, exist_ok=True)
                    self._land(staging / source.kind, entry)
        mark = fingerprint.fingerprint(entry)
        return Measured(pin, origin.label, sha256, mark.files, mark.size)

    # --- what is in the cache ------------------------------------------------------------

    def _entry(self, source: Source) -> Path:
        """The folder of a source; its mark is beside it."""
        return self.root / ("trees" if source.kind == "tree" else "files") / source.digest

    def _intact(self, source: Source) -> bool:
        """Whether a source is cached and looks as it did when it came."""
        entry = self._entry(source)
        if not self.path(source).exists():
            return False
        mark = fingerprint.load(_mark(entry))
        return mark is not None and mark == fingerprint.fingerprint(entry)

    def _reread(self, source: Source) -> bool:
        """Whether a source is cached and hashes right; throws it away if not. Wants its lock."""
        entry, path = self._entry(source), self.path(source)
        if path.exists():
            try:
                actual = tree_hash(path) if source.kind == "tree" else "sha256:" + file_sha256(path)
            except (OSError, SourceError) as error:
                actual = str(error)
            if actual == source.pin:
                fingerprint.save(fingerprint.fingerprint(entry), _mark(entry))
                return True
            self._log(f"the cached {path} is damaged: thrown away")
        _discard(entry)
        return False

    def _land(self, staged: Path, entry: Path) -> None:
        _discard(entry)
        staged.rename(entry)
        fingerprint.save(fingerprint.fingerprint(entry), _mark(entry))

    @contextlib.contextmanager
    def _staging(self, entry: Path) -> Iterator[Path]:
        """A temporary folder beside `entry`, whose lock is held; removes what a kill left there."""
        entry.parent.mkdir(parents=True, exist_ok=True)
        if len(entry.name) == 64:
            for left in entry.parent.glob(staging_prefix(entry) + "*"):
                _discard(left)
        staging = Path(tempfile.mkdtemp(prefix=staging_prefix(entry), dir=entry.parent))
        staging.chmod(0o755)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    # --- one origin ----------------------------------------------------------------------

    @contextlib.contextmanager
    def _archive(self, origin: Origin, sha256: str | None, base: Path) -> Iterator[Path]:
        """The archive of an origin: from the cache, or fetched.

        It is held while it is read, so that nobody throws it away meanwhile. Who wants a source's
        own lock as well takes that one first.
        """
        if isinstance(origin, LocalOrigin):
            yield _local(origin, base)
            return
        key = sha256 or hashlib.sha256(origin.label.encode()).hexdigest()
        with self._lock(f"archive-{key}", origin.filename):
            archive = self._cached_archive(sha256) if sha256 else None
            if archive is None:
                archive = self._keep(
                    self._origins.get(origin, sha256, self.root / "downloads" / key[:16]), sha256
                )
            yield archive

    def _cached_archive(self, sha256: str) -> Path | None:
        folder = self.root / "archives" / sha256
        if not folder.is_dir():
            return None
        for file in folder.iterdir():
            if file_sha256(file) == sha256:
                return file
        self._log(f"the cached archive in {folder} is damaged: thrown away")
        shutil.rmtree(folder)
        return None

    def _keep(self, file: Path, sha256: str | None) -> Path:
        """Moves a download among the archives; a file of somebody else's stays where it is."""
        if self.root / "downloads" not in file.parents:
            return file
        folder = self.root / "archives" / (sha256 or file_sha256(file))
        folder.mkdir(parents=True, exist_ok=True)
        kept = file.replace(folder / file.name)
        with contextlib.suppress(OSError):  # parts of other addresses may be left
            file.parent.rmdir()
        return kept

    # --- locks and errors ----------------------------------------------------------------

    @contextlib.contextmanager
    def _lock(self, key: str, name: str) -> Iterator[None]:
        make_cache(self.root)
        folder = self.root / "locks"
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / f"{key}.lock")
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            self._log(f"{name}: another crosspi is fetching it; waiting")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def _os_errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            known = from_os_error(error, doing=doing)
            raise known or SourceError(
                f"the cache of sources cannot be used while {doing}",
                where=os.fsdecode(error.filename or str(self.root)),
                why=error.strerror or str(error),
                fix="see that the folder can be written, or set CROSSPI_CACHE to another",
            ) from error


def _copy(file: Path, to: Path) -> None:
    """A copy that containers, which are another user where crosspi is root, can read."""
    to.parent.mkdir(exist_ok=True)
    to.parent.chmod(0o755)
    shutil.copyfile(file, to)
    to.chmod(0o644)


def _mark(entry: Path) -> Path:
    return entry.with_name(entry.name + ".json")


def _discard(entry: Path) -> None:
    _mark(entry).unlink(missing_ok=True)
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _once(paths: Sequence[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))


def _local(origin: LocalOrigin, base: Path) -> Path:
    path = base / Path(origin.local).expanduser()
    if not path.exists():
        raise SourceError(
            "there is no such file or folder",
            where=str(path.absolute()),
            fix="correct the path; a relative one starts at the recipe's folder",
        )
    if path.is_dir():
        if origin.sha256:
            raise SourceError(
                "a folder has no sha256",
                where=str(path.absolute()),
                fix="remove sha256 from this origin: the tree is pinned anyway",
            )
        return path
    return checked(path, origin.sha256)
