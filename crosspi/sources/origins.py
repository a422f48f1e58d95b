"""How a file is had from each kind of origin: an address, Debian, Maven, a package index."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import requests

from crosspi.data.source import DebianOrigin, MavenOrigin, Origin, PypiOrigin, UrlOrigin
from crosspi.errors import SourceError
from crosspi.files import file_sha256
from crosspi.sources import maven
from crosspi.sources.debian import candidates
from crosspi.sources.download import Network, Progress, check_online, download, new_session
from crosspi.sources.projects import Project
from crosspi.sources.pypi import PipConfig, PypiIndexes, local_path


class Origins:
    """Asks the origins of sources.

    Args:
        network: time-outs and tries.
        repositories: gives the URIs of the Debian repositories; called when first needed.
        central: gives the address of Maven's central repository; called when needed.
        pip: gives the configuration of pip; called when first needed.
        progress: see `download.Progress`.
    """

    def __init__(
        self,
        *,
        network: Network,
        repositories: Callable[[], Sequence[str]],
        central: Callable[[], str],
        pip: Callable[[], PipConfig],
        progress: Progress | None,
    ) -> None:
        self.network = network
        self._repositories = repositories
        self._central = central
        self._progress = progress
        self._session = new_session()
        self._indexes = PypiIndexes(config=pip, network=network)

    def project(self, name: str) -> Project:
        """What the user's package index says of a project (see `PypiIndexes.project`)."""
        return self._indexes.project(name)

    def get(self, origin: Origin, sha256: str | None, folder: Path) -> Path:
        """Fetch the file of an origin, into `folder` unless it is on this machine.

        Args:
            origin: any but a local one.
            sha256: what the file must have, where it is known.
            folder: for parts of it, to be continued, and for the whole.

        Raises:
            SourceError: it cannot be had, or is another file.
        """
        if isinstance(origin, UrlOrigin):
            return self._download([origin.url], folder, origin, sha256)
        if isinstance(origin, DebianOrigin):
            # Offline, not even the repositories are asked for: that may need an image.
            check_online(origin.label, self.network)
            urls = candidates(origin, self._repositories())
            if not urls:
                raise SourceError(
                    "no Debian repository is known",
                    where=origin.label,
                    why="the apt configuration names none that is reached by http(s) or file",
                    fix="add another origin, or put the file into CROSSPI_SOURCES",
                )
            return self._download(urls, folder, origin, sha256)
        if isinstance(origin, MavenOrigin):
            check_online(origin.label, self.network)
            return self._download([maven.address(origin, self._central())], folder, origin, sha256)
        if isinstance(origin, PypiOrigin):
            found = self._indexes.find(origin)
            if found.path is not None:
                return checked(found.path, sha256)
            sha256 = sha256 or found.sha256
            session = self._indexes.session
            return self._download([found.url], folder, origin, sha256, session, found.verify)
        raise TypeError(origin)

    def _download(
        self,
        urls: Sequence[str],
        folder: Path,
        origin: Origin,
        sha256: str | None,
        session: requests.Session | None = None,
        verify: bool | str | None = None,
    ) -> Path:
        failures: list[SourceError] = []
        for url in urls:
            try:
                if (path := local_path(url)) is not None:
                    return checked(path, sha256)
                return download(
                    url,
                    folder,
                    sha256=sha256,
                    filename=origin.filename,
                    session=session or self._session,
                    network=self.network,
                    verify=verify,
                    progress=self._progress,
                )
            except SourceError as error:
                failures.append(error)
        with contextlib.suppress(OSError):  # unless there are parts, to be continued
            folder.rmdir()
        if len(failures) == 1 or self.network.offline:
            raise failures[0]
        raise SourceError(
            f"none of {len(failures)} repositories gave the file",
            where=origin.label,
            why="\n".join(f"{e.where}: {e.what} ({first_line(e.why)})" for e in failures),
            fix=failures[0].fix,
        )


def checked(path: Path, sha256: str | None) -> Path:
    """A file that is there, if it is the pinned one.

    Raises:
        SourceError: it is not there, or has other bytes.
    """
    if not path.is_file():
        raise SourceError("the file is not there", where=str(path), why="no such file")
    if sha256 is not None and (actual := file_sha256(path)) != sha256:
        raise SourceError(
            "the file is not the pinned one",
            where=str(path),
            why=f"expected sha256 {sha256}\nactual   sha256 {actual} ({path.stat().st_size} bytes)",
            fix="put the right file there, or correct the pin after finding out why it differs",
        )
    return path


def first_line(text: str) -> str:
    """The first line of a text."""
    return text.splitlines()[0] if text else ""
