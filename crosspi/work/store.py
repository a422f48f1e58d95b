"""The store: what steps made, by key. A step whose key is here is not run again.

An entry is a folder `KIND/SUBJECT-KEY/` with `out/` (the result) and `manifest.json` (what went
in, what came out, what it cost). It appears by one rename, so it is whole or not there; and it goes
by one, into `trash/`, where it stays as long as somebody reads it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from crosspi.caches import make_cache
from crosspi.errors import StoreError
from crosspi.files import write_text

KEY_DIGITS = 16


@dataclass(frozen=True)
class Cost:
    """What a step used.

    Attributes:
        wall: seconds from start to end.
        cpu: processor seconds, user and system.
        ccache_hits: compiles answered by ccache.
        ccache_misses: compiles that were done.
    """

    wall: float = 0.0
    cpu: float = 0.0
    ccache_hits: int = 0
    ccache_misses: int = 0


@dataclass(frozen=True)
class Entry:
    """A step's result in the store."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def cost(self) -> Cost:
        return Cost(**self.manifest["cost"])

    @property
    def notes(self) -> Mapping[str, Any]:
        """What the step said about its result."""
        notes: Mapping[str, Any] = self.manifest["notes"]
        return notes

    @property
    def created(self) -> datetime:
        """When the step ended, in UTC."""
        return datetime.fromtimestamp(self.manifest["created"], UTC)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self.manifest["files"].values())


@dataclass
class Draft:
    """An entry in the making: fill `out`, then it is sealed."""

    folder: Path
    notes: dict[str, Any] = field(default_factory=dict)
    cost: Cost = Cost()

    @property
    def out(self) -> Path:
        return self.folder / "out"


class Store:
    """A folder of entries, shared by all runs of this user."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, kind: str, subject: str, key: str) -> Entry | None:
        """The entry of a step, if it is there and its files have their sizes."""
        folder = self._folder(kind, subject, key)
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            files: dict[str, tuple[int, str]] = manifest["files"]
            if manifest["key"] != key:
                return None
            out = str(folder / "out")
            for name, (size, _) in files.items():
                # Plain strings: one entry may have thousands of files.
                if os.lstat(f"{out}/{name}").st_size != size:
                    return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Entry(folder=folder, manifest=manifest)

    def damage(self, entry: Entry) -> list[str]:
        """The files of an entry whose bytes are not those that were stored."""
        return [
            name
            for name, (_, digest) in entry.manifest["files"].items()
            if _digest(entry.out / name) != digest
        ]

    def discard(self, entry: Entry) -> None:
        """Throw an entry away; its files stay as long as another process reads them."""
        self._set_aside(entry.folder)

    @contextmanager
    def reading(self, kind: str, subject: str, key: str) -> Iterator[Entry | None]:
        """The entry of a step, held against removal: by this process, until it ends or dies."""
        folder = self._folder(kind, subject, key)
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        try:
            fcntl.flock(held, fcntl.LOCK_SH)
            # It may have been set aside before the lock was ours.
            yield self.find(kind, subject, key) if _is_still(held, folder) else None
        finally:
            os.close(held)

    def _set_aside(self, folder: Path) -> None:
        """Take a folder out of the store at once, and remove what nobody reads of all such."""
        make_cache(self.root)
        trash = self.root / "trash"
        trash.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            folder.rename(trash / f"{folder.name}-{uuid.uuid4().hex}")
        for path in trash.iterdir():
            _remove_unread(path)

    @contextmanager
    def lock(
        self, kind: str, subject: str, key: str, waiting: Callable[[], None]
    ) -> Iterator[None]:
        """Hold a step for this process.

        Args:
            kind, subject, key: the step.
            waiting: called every second while another process holds it; it may raise.
        """
        make_cache(self.root)
        folder = self.root / "locks"
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / f"{kind}-{subject}-{key[:KEY_DIGITS]}.lock")
        while True:
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                waiting()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def draft(self, kind: str, subject: str, key: str) -> Iterator[Draft]:
        """A fresh folder for a step's result; it is removed unless it gets sealed.

        Call it with the step's lock held: what a killed run left under this name is removed.
        """
        folder = self.root / "drafts" / f"{kind}-{subject}-{key[:KEY_DIGITS]}"
        _remove(folder)
        make_cache(self.root)
        draft = Draft(folder=folder)
        draft.out.mkdir(parents=True)
        try:
            yield draft
        finally:
            _remove(folder)

    def seal(
        self, draft: Draft, kind: str, subject: str, key: str, inputs: Mapping[str, str]
    ) -> Entry:
        """Make a draft an entry, by rename.

        Raises:
            StoreError: the store cannot be written.
        """
        manifest = {
            "step": f"{kind}:{subject}",
            "key": key,
            "inputs": dict(inputs),
            "created": int(time.time()),
            "cost": asdict(draft.cost),
            "notes": draft.notes,
            "files": {
                str(path.relative_to(draft.out)): (os.lstat(path).st_size, _digest(path))
                for path in sorted(draft.out.rglob("*"))
                if path.is_symlink() or not path.is_dir()
            },
        }
        for path in draft.folder.iterdir():
            if path != draft.out:  # what the step needed only while it ran
                _remove(path)
        write_json(draft.folder / "manifest.json", manifest)
        folder = self._folder(kind, subject, key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._set_aside(folder)
        draft.folder.rename(folder)
        self.remember(kind, subject, inputs)
        entry = self.find(kind, subject, key)
        if entry is None:
            raise StoreError(
                "a result could not be read back from the store",
                where=str(folder),
                why="the disk lost it, or another program changes the store",
                fix="check the disk, then run the same command again",
            )
        return entry

    def remember(self, kind: str, subject: str, inputs: Mapping[str, str]) -> None:
        """Note with which inputs a step was built, or its result taken from here, last."""
        if self.last_inputs(kind, subject) != inputs:
            path = self._last(kind, subject)
            make_cache(self.root)
            path.parent.mkdir(exist_ok=True)
            write_json(path, dict(inputs))

    def last_inputs(self, kind: str, subject: str) -> Mapping[str, str] | None:
        """What was remembered, to explain why a step must run again."""
        try:
            text = self._last(kind, subject).read_text(encoding="utf-8")
            inputs: Mapping[str, str] = json.loads(text)
        except (OSError, ValueError):
            return None
        return inputs

    def _last(self, kind: str, subject: str) -> Path:
        return self.root / "last" / f"{kind}-{subject}.json"

    def _folder(self, kind: str, subject: str, key: str) -> Path:
        return self.root / kind / f"{subject}-{key[:KEY_DIGITS]}"


def write_json(path: Path, value: object) -> None:
    """Write a JSON file by rename, so that a reader sees the old or the new one, whole."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def _digest(path: Path) -> str:
    try:
        if path.is_symlink():
            return "link:" + str(path.readlink())
        if not path.is_file():
            return "special"
        with path.open("rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _is_still(descriptor: int, folder: Path) -> bool:
    """Whether an open folder is the one that lies at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def _remove_unread(folder: Path) -> None:
    """Remove a folder of the trash, unless somebody reads it, or removes it already."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
