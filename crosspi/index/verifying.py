"""Whether a published index is whole: `./inv verify`.

Of each file its manifest, size and hash; its metadata beside it; and the pages, which must be those
that its manifests make. A published site is asked over HTTP for the same, by its JSON pages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

import requests

from crosspi.errors import SourceError
from crosspi.files import file_sha256
from crosspi.index.manifest import Manifest
from crosspi.index.pages import archive_pages, index_pages, metadata_in, metadata_of
from crosspi.index.publishing import Listing, listing
from crosspi.urls import redact

_SECONDS = 30


@dataclass(frozen=True)
class Verified:
    """What was found in an index.

    Attributes:
        files: how many wheels and archives are as they should be.
        faults: what is wrong, a line each.
        strangers: files that are there and not listed, a line each: no fault, as pip sees them not.
    """

    files: int
    faults: list[str]
    strangers: list[str]


def verify(dist: Path) -> Verified:
    """What is wrong with an index in a folder."""
    found = listing(dist)
    faults, good = [], 0
    listed = [*found.wheels, *found.archives]
    for path in (*listed, *found.withdrawn):
        wrong = list(_file_faults(path, found.manifests[path]))
        good += not wrong and path in listed
        faults += [f"{path.name}: {text}" for text in wrong]
    if not faults:  # the pages are made of these
        faults += _page_faults(dist, found)
    strangers = [f"{path.name}: {why}" for path, why in found.strangers.items()]
    return Verified(good, faults, strangers)


def _file_faults(path: Path, manifest: Manifest) -> Iterator[str]:
    named = manifest.wheel or manifest.archive
    if named != path.name:
        yield f"its manifest is about {named}"
    if not manifest.proof:
        yield "its manifest names no proof"
    if file_sha256(path) != manifest.sha256:
        yield "its bytes are not those that were proven: the hash is another"
    elif manifest.wheel:
        beside = metadata_of(path)
        if not beside.is_file():
            yield "its metadata do not lie beside it"
        elif beside.read_text(encoding="utf-8") != metadata_in(path):
            yield "the metadata beside it are not those in it"


def _page_faults(dist: Path, found: Listing) -> Iterator[str]:
    wanted = index_pages(found.wheels, found.manifests)
    if found.archives or (dist / "archives").is_dir():
        wanted.update(archive_pages(found.archives, found.manifests))
    for name, text in wanted.items():
        path = dist / name
        if not path.is_file():
            yield f"{name}: the page is not there"
        elif path.read_text(encoding="utf-8") != text:
            yield f"{name}: the page is not the one of what is published"
    for path in sorted((dist / "simple").glob("*/index.*")):
        name = path.relative_to(dist).as_posix()
        if name not in wanted:
            yield f"{name}: nothing that is published belongs on this page"


def verify_site(address: str) -> Verified:
    """What is wrong with a published index, asked over HTTP.

    Args:
        address: of the folder that has `simple/` in it.

    Raises:
        SourceError: no index answers there.
    """
    site = _Site(address if address.endswith("/") else f"{address}/")
    faults: list[str] = []
    good = 0
    front = site.json("simple/index.json", faults)
    if front is None:
        raise SourceError(
            f"no index answers at {redact(address)}",
            where=redact(site.address) + "simple/index.json",
            why=faults[0].removeprefix("simple/index.json: "),
            fix="name the address of the folder that has simple/ in it, as pip is given it without "
            "/simple/; an index of an older crosspi has no such page until it is published anew",
        )
    for project in front.get("projects", ()):
        page = f"simple/{project['name']}/index.json"
        for file in (site.json(page, faults) or {}).get("files", ()):
            wrong = list(_site_faults(site, urljoin(site.address + page, file["url"]), file))
            good += not wrong
            faults += [f"{file['filename']}: {text}" for text in wrong]
    return Verified(good, faults, [])


class _Site:
    """What a server answers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._session = requests.Session()

    def get(self, where: str) -> bytes:
        """Raises ValueError: it is not there, in the server's words."""
        try:
            answer = self._session.get(where, timeout=_SECONDS)
        except requests.RequestException as error:
            raise ValueError(redact(f"no answer: {error}")) from error
        if answer.status_code != requests.codes.ok:
            raise ValueError(f"the server says {answer.status_code} {answer.reason}")
        return answer.content

    def json(self, page: str, faults: list[str]) -> Any:
        """A page as data; None, and a fault more, where it cannot be had."""
        try:
            data = json.loads(self.get(self.address + page))
            if not isinstance(data, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            faults.append(f"{page}: {error}")
            return None
        return data


def _site_faults(site: _Site, where: str, file: dict[str, Any]) -> Iterator[str]:
    try:
        data, metadata = site.get(where), site.get(where + ".metadata")
        manifest = Manifest.model_validate_json(site.get(where + ".json"))
    except ValueError as error:
        yield str(error).splitlines()[0]
        return
    wanted = {
        "name": (unquote(where.rsplit("/", 1)[-1]), manifest.wheel),
        "size": (len(data), manifest.size),
        "hash": (hashlib.sha256(data).hexdigest(), manifest.sha256),
        "hash on its page": (file["hashes"].get("sha256"), manifest.sha256),
        "hash of its metadata": (
            hashlib.sha256(metadata).hexdigest(),
            file["core-metadata"]["sha256"],
        ),
    }
    for what, (is_there, should) in wanted.items():
        if is_there != should:
            yield f"its {what} is {is_there}, and should be {should}"
    if manifest.withdrawn:
        yield f"it is withdrawn, and listed all the same: {manifest.withdrawn}"
