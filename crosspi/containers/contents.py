"""What apt put into images: no hash pins it, so it is asked of each image, and keys know it.

An image's own key holds what goes in by the data. Two machines that make it in different weeks get
other versions of Debian's packages, and what is built there may differ: so the steps that run in
an image have the list of its packages in their keys. Before an image was ever made here, its list
is not known, and neither are the keys of what runs in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crosspi.caches import make_cache
from crosspi.containers.engine import Engine
from crosspi.digests import digest
from crosspi.errors import EngineError
from crosspi.work.store import write_json

STATUS = "/var/lib/dpkg/status"
#: In place of a digest.
NOT_MADE = "not made"


class Contents:
    """What images hold, by their tags: as the engine has them now, else as they were last."""

    def __init__(self, engine: Callable[[], Engine], folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    def of(self, tag: str) -> str:
        """The digest of an image's packages; `NOT_MADE` where nobody here has seen it yet."""
        record = self.record(tag)
        return str(record["digest"]) if record else NOT_MADE

    def record(self, tag: str) -> dict[str, Any]:
        """What is known of an image: id, architecture, packages and their digest; or nothing."""
        known = self._read(tag)
        try:
            engine = self._engine()
            now = engine.image_id(tag)
        except EngineError:
            return known
        if now is None or known.get("id") == now:
            return known
        packages = installed((engine.read_file(tag, STATUS) or b"").decode("utf-8", "replace"))
        found = {
            "id": now,
            "architecture": engine.image_architecture(tag),
            "packages": packages,
            "digest": digest(packages),
        }
        make_cache(self._folder.parent)
        self._folder.mkdir(exist_ok=True)
        write_json(self._file(tag), found)
        return found

    def last_architecture(self, tag: str) -> str | None:
        """The architecture of an image when it was last seen here, whether or not it still is."""
        found = self._read(tag).get("architecture")
        return None if found is None else str(found)

    def _read(self, tag: str) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self._file(tag).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        whole = isinstance(known, dict) and {"id", "digest", "packages"} <= known.keys()
        return known if whole else {}

    def _file(self, tag: str) -> Path:
        return self._folder / (tag.replace("/", "-").replace(":", "-") + ".json")


class Remembered(Engine):
    """In an engine's place where none answers and nothing is to be run: what was there last is."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def image_architecture(self, tag: str) -> str | None:
        return self._contents.last_architecture(tag)

    def image_id(self, tag: str) -> str | None:
        del tag
        return None


def installed(status: str) -> list[str]:
    """The packages of dpkg's status file: name, version and architecture, sorted.

    Source: deb822(5), dpkg-query(1).
    """
    found = []
    for paragraph in status.split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in paragraph.splitlines()
            if ": " in line and not line.startswith((" ", "\t"))
        )
        if fields.get("Status", "").endswith(" installed"):
            found.append(" ".join(fields[name] for name in ("Package", "Version", "Architecture")))
    return sorted(found)
