"""Where a file of a Maven repository lies.

The repository is the one that Maven itself would ask for "central": the mirror that the user's
`settings.xml` or the installation's names for it, else the address that Maven's own super POM
holds. No repository is named here. (Passwords of mirrors: in ~/.netrc.)
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from crosspi.data.source import MavenOrigin
from crosspi.errors import SourceError

_CENTRAL = "central"
_SCHEMES = ("http", "https", "file")
_SUPER_POM = "org/apache/maven/model/pom-4.0.0.xml"
_USUAL_HOME = Path("/usr/share/maven")
_SYSTEM_SETTINGS = Path("/etc/maven/settings.xml")
_FIX = (
    "install Maven (or name a mirror in ~/.m2/settings.xml), add another origin, or put the file "
    "with this sha256 into the folder that CROSSPI_SOURCES names"
)


def address(origin: MavenOrigin, repository: str) -> str:
    """The address of a file in a repository of Maven's default layout."""
    folder = "/".join((*origin.group.split("."), origin.artifact, origin.version))
    return f"{repository.rstrip('/')}/{quote(folder)}/{quote(origin.filename)}"


def repository(
    environment: Mapping[str, str] | None = None,
    *,
    home: Path | None = None,
    system: Path = _SYSTEM_SETTINGS,
    usual: Path = _USUAL_HOME,
) -> str:
    """The address that Maven uses for its central repository.

    Args:
        environment: the variables, by default this process's.
        home: the user's home folder.
        system: the settings of distributions that keep them outside of the installation.
        usual: the installation, where neither a variable nor PATH leads to one.

    Raises:
        SourceError: there is no Maven and no mirror; or a mirror that cannot be used.
    """
    environment = os.environ if environment is None else environment
    installations = list(_installations(environment, usual))
    settings = [(home or Path.home()) / ".m2" / "settings.xml"]
    settings += [folder / "conf" / "settings.xml" for folder in installations]
    settings.append(system)
    # As Maven does: an exact name wins over a pattern, and the user's file over the others.
    mirrors = [mirror for path in settings for mirror in _mirrors(path, environment)]
    for matches in (_CENTRAL.__eq__, _matches_central):
        for path, mirror_of, url, blocked in mirrors:
            if matches(mirror_of):
                return _usable(url, path, blocked=blocked)
    for folder in installations:
        for jar in sorted((folder / "lib").glob("maven-model-builder*.jar")):
            if url := _super_pom(jar):
                return _usable(url, jar)
    raise SourceError(
        "no Maven repository is known",
        why="there is no Maven on this machine, nor a mirror in ~/.m2/settings.xml",
        fix=_FIX,
    )


def _installations(environment: Mapping[str, str], usual: Path) -> Iterator[Path]:
    """The folders of Maven installations, the one that would run first."""
    for name in ("MAVEN_HOME", "M2_HOME"):
        if environment.get(name):
            yield Path(environment[name])
    if program := shutil.which("mvn", path=environment.get("PATH", "")):
        yield Path(program).resolve().parent.parent
    yield usual


_Mirror = tuple[Path, str, str, bool]


def _mirrors(path: Path, environment: Mapping[str, str]) -> Iterator[_Mirror]:
    if not path.is_file():
        return
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise SourceError(
            "Maven's settings cannot be read", where=str(path), why=str(error), fix=_FIX
        ) from error
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        values = {
            name: (mirror.findtext(f"{{*}}{name}") or "").strip()
            for name in ("mirrorOf", "url", "blocked")
        }
        url = re.sub(
            r"\$\{env\.(\w+)\}",
            lambda found: environment.get(found[1], found[0]),
            values["url"],
        )
        yield path, values["mirrorOf"], url, values["blocked"] == "true"


def _matches_central(mirror_of: str) -> bool:
    """Whether a list of patterns means the central repository: an https one, elsewhere."""
    words = [word.strip() for word in mirror_of.split(",")]
    if f"!{_CENTRAL}" in words:
        return False
    return not {_CENTRAL, "*", "external:*"}.isdisjoint(words)


def _super_pom(jar: Path) -> str:
    """The address of the central repository in Maven's super POM, which all POMs inherit."""
    try:
        with zipfile.ZipFile(jar) as archive:
            root = ElementTree.fromstring(archive.read(_SUPER_POM))
    except (OSError, KeyError, zipfile.BadZipFile, ElementTree.ParseError):
        return ""
    for found in root.iterfind("{*}repositories/{*}repository"):
        if found.findtext("{*}id") == _CENTRAL:
            return (found.findtext("{*}url") or "").strip()
    return ""


def _usable(url: str, path: Path, *, blocked: bool = False) -> str:
    if blocked:
        why = "its settings block it"
    elif urlsplit(url).scheme not in _SCHEMES:
        why = f"'{url}' is not reached by http(s) or file"
    else:
        return url
    raise SourceError(
        "Maven's central repository cannot be used", where=str(path), why=why, fix=_FIX
    )
