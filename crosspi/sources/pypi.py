"""Finds a file of a Python project where the user's own pip would look for it.

What pip is configured to use is used: environment (`PIP_INDEX_URL`, …), configuration files
(through `pip config`), and where nothing is configured, the default that pip itself carries. An
index may answer in HTML (PEP 503) or JSON (PEP 691).
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import requests
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from crosspi.data.source import PypiOrigin
from crosspi.errors import HostError, SourceError
from crosspi.sources.download import Network, check_online, get_page, new_session
from crosspi.sources.projects import Project, ProjectFile
from crosspi.urls import redact

if TYPE_CHECKING:
    from pypi_simple import ProjectPage

#: pip reads these sections in this order, the later ones win; `:env:` is the environment.
_SECTIONS = ("global", "install", "download", ":env:")
_DEFAULT_INDEX = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
_PIP_TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class PipConfig:
    """What pip is configured to use.

    Attributes:
        indexes: the index, then the extra ones.
        find_links: folders and pages with links, looked at before the indexes.
        cert: file of certificates to trust.
        client_cert: file with the user's own certificate and key.
        proxy: of the form scheme://[user:password@]host:port.
        trusted_hosts: hosts, or host:port, whose certificate is not checked.
    """

    indexes: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class IndexFile:
    """A file that was found: at an address, or (`path`) on this machine."""

    url: str
    path: Path | None
    sha256: str | None
    verify: bool | str | None


def pip_config(python: str = sys.executable) -> PipConfig:
    """Asks the pip of a Python for its configuration; takes about half a second.

    Raises:
        HostError: that Python has no pip, or it fails.
    """
    values: dict[str, str] = {}
    listed = parse_pip_config(_pip(python, "-m", "pip", "config", "list"))
    for section in _SECTIONS:
        values |= listed.get(section, {})
    indexes: list[str] = []
    if values.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
        indexes = [values.get("index-url") or _pip(python, "-c", _DEFAULT_INDEX).strip()]
        indexes += values.get("extra-index-url", "").split()
    return PipConfig(
        indexes=tuple(indexes),
        find_links=tuple(values.get("find-links", "").split()),
        cert=values.get("cert") or None,
        client_cert=values.get("client-cert") or None,
        proxy=values.get("proxy") or None,
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
    )


def parse_pip_config(text: str) -> dict[str, dict[str, str]]:
    """The output of `pip config list` (`section.key='value'`) by section and key."""
    sections: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        section, dot, key = name.rpartition(".")
        if not equals or not dot:
            continue
        try:
            plain = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            continue
        sections.setdefault(section, {})[key.replace("_", "-")] = str(plain)
    return sections


def _pip(python: str, *arguments: str) -> str:
    command = [python, *arguments]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COLOR": "1"}
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PIP_TIMEOUT,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    else:
        if result.returncode == 0:
            return result.stdout
        why = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
    raise HostError(
        "cannot ask pip which package index to use",
        where=" ".join(command[:4]),
        why=redact(why),
        fix="install pip into the environment of crosspi: python -m ensurepip",
    )


class PypiIndexes:
    """The user's package indexes; asks pip when it is first used, and each index once a project.

    Args:
        config: gives the configuration; by default that of this environment's pip.
        network: time-outs, tries, offline.
    """

    def __init__(
        self, *, config: Callable[[], PipConfig] = pip_config, network: Network | None = None
    ) -> None:
        self._make_config = config
        self._network = network or Network()
        self._config: PipConfig | None = None
        self._session: requests.Session | None = None

    @property
    def config(self) -> PipConfig:
        """The configuration of pip."""
        if self._config is None:
            self._config = self._make_config()
        return self._config

    @property
    def session(self) -> requests.Session:
        """A session with pip's proxy and client certificate."""
        if self._session is None:
            self._session = new_session()
            self._session.cert = self.config.client_cert
            if self.config.proxy:
                # Over those of the environment, as in pip.
                self._session.trust_env = False
                self._session.proxies = {"http": self.config.proxy, "https": self.config.proxy}
        return self._session

    def find(self, origin: PypiOrigin) -> IndexFile:
        """The file of the origin.

        Raises:
            SourceError: no index has it; lists what each said.
            HostError: there is no pip to ask.
        """
        failures: list[str] = []
        for place in self.config.find_links:
            found = self._in_folder(place, origin)
            if found is None and _is_web(place):
                found = self._on_page(place, origin, failures)
            if found is not None:
                return found
        for index in self.config.indexes:
            url = f"{index.rstrip('/')}/{canonicalize_name(origin.pypi)}/"
            found = self._on_page(url, origin, failures)
            if found is not None:
                return found
        check_online(origin.label, self._network)
        raise SourceError(
            f"no package index of pip's configuration has {origin.file}",
            where=f"project {origin.pypi}",
            why="\n".join(failures) or "pip is configured to use no index",
            fix="check `pip config list`, and the name and version in the recipe",
        )

    def project(self, name: str) -> Project:
        """What the first index that has a project says of it.

        Raises:
            SourceError: no index has it; lists what each said.
            HostError: there is no pip to ask.
        """
        check_online(f"project {name}", self._network)
        failures: list[str] = []
        for index in self.config.indexes:
            url = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
            page = self._page(url, name, failures) if local_path(url) is None else None
            if page is not None:
                files = [
                    ProjectFile.parse(file.filename, file.requires_python, yanked=file.is_yanked)
                    for file in page.packages
                ]
                return Project(canonicalize_name(name), [file for file in files if file])
        raise SourceError(
            f"no package index of pip's configuration has a project {name}",
            where=f"project {name}",
            why="\n".join(failures) or "pip is configured to use no index",
            fix="check the name, and `pip config list`",
        )

    def _in_folder(self, place: str, origin: PypiOrigin) -> IndexFile | None:
        path = local_path(place)
        if path is None:
            return None
        path = path.expanduser()
        if path.is_dir():
            path = path / origin.file
        if path.name == origin.file and path.is_file():
            return IndexFile(url=path.absolute().as_uri(), path=path, sha256=None, verify=None)
        return None

    def _on_page(self, url: str, origin: PypiOrigin, failures: list[str]) -> IndexFile | None:
        if (local := local_path(url)) is not None:  # an index in a folder: file:///…/simple/
            return self._in_folder(str(local), origin)
        page = self._page(url, origin.pypi, failures)
        if page is None:
            return None
        for package in page.packages:
            if same_file(package.filename, origin.file):
                path = local_path(package.url)
                digest = package.digests.get("sha256")
                return IndexFile(package.url, path, digest, self._verify(package.url))
        failures.append(f"{redact(url)}: lists {len(page.packages)} files, but not this one")
        return None

    def _page(self, url: str, name: str, failures: list[str]) -> ProjectPage | None:
        """A project's page of an index; None, and a failure more, where there is none."""
        # It takes a moment to import, and most commands ask no index.
        from pypi_simple import ACCEPT_ANY, ProjectPage
        from pypi_simple.errors import UnsupportedContentTypeError, UnsupportedRepoVersionError

        try:
            response = get_page(
                url,
                session=self.session,
                network=self._network,
                verify=self._verify(url),
                headers={"Accept": ACCEPT_ANY},
            )
            return ProjectPage.from_response(response, name)
        except SourceError as error:
            failures.append(f"{redact(url)}: {error.what} ({error.why})")
        except (UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
            failures.append(f"{redact(url)}: is no package index ({redact(str(error))})")
        return None

    def _verify(self, url: str) -> bool | str | None:
        parts = urlsplit(url)
        if {parts.hostname, parts.netloc.rpartition("@")[2]} & set(self.config.trusted_hosts):
            return False
        return self.config.cert


def _is_web(place: str) -> bool:
    return urlsplit(place).scheme in ("http", "https")


def local_path(place: str) -> Path | None:
    """The path of a `file:` address or plain path; None for other addresses."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if "://" in place else Path(unquote(place) if parts.scheme else place)


def same_file(one: str, other: str) -> bool:
    """Whether two names are of the same file: `ml-dtypes-0.2.0.tar.gz`, `ml_dtypes-0.2.0.tar.gz`.

    PEP 625 fixes how the name is written; older files differ.
    """
    if one == other:
        return True
    try:
        if one.endswith(".whl"):
            return parse_wheel_filename(one) == parse_wheel_filename(other)
        suffix = one[-4:] == other[-4:]
        return suffix and parse_sdist_filename(one) == parse_sdist_filename(other)
    except (InvalidSdistFilename, InvalidWheelFilename):
        return False
