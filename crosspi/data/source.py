"""The data of a recipe's `sources:` entries.

A `Source` is pinned by what it is (the hash of its unpacked tree, or of its one file); its
origins say where the bytes may come from and are tried in order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from crosspi.data.document import Model
from crosspi.data.globs import Selection, Strip, glob_fault
from crosspi.urls import redact

#: Validation context that lets `tree: unpinned` pass, for the tools that compute the pin.
ALLOW_UNPINNED: Mapping[str, bool] = {"allow_unpinned": True}
UNPINNED = "unpinned"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_HEX = re.compile(r"[0-9a-f]{64}")


def _hex(value: object) -> object:
    if isinstance(value, str):
        value = value.strip().removeprefix("sha256:")
        if not _HEX.fullmatch(value):
            raise ValueError("must be a sha256: 64 digits of 0-9 a-f")
    return value


def _relative(value: str) -> str:
    parts = value.rstrip("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise ValueError(
            f"'{value}' must be a relative folder without '.', '..' or '//' "
            "(leave it out for the top)"
        )
    return "/".join(parts)


def _glob(value: str) -> str:
    if fault := glob_fault(value):
        raise ValueError(f"'{value}' {fault}")
    return value


def _inside(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/") or "\0" in value:
        raise ValueError(f"'{value}' must stay inside its folder: no leading '/', no '..'")
    return value


def _plain_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"'{value}' becomes the name of a folder: letters, digits, '-', '_', '.' and '+', "
            "a letter or digit first"
        )
    return value


def _file_name(value: str) -> str:
    if not value or "/" in value or "\0" in value or value in (".", ".."):
        raise ValueError(f"'{value}' must be the plain name of a file, without a folder")
    return value


Sha256 = Annotated[str, BeforeValidator(_hex)]
RelativeFolder = Annotated[str, AfterValidator(_relative)]
#: A path that starts at some folder and does not leave it.
InsidePath = Annotated[str, AfterValidator(_inside)]
#: What becomes the name of a folder, on the host or in a container.
PlainName = Annotated[str, AfterValidator(_plain_name)]
Glob = Annotated[str, AfterValidator(_glob)]
FileName = Annotated[str, AfterValidator(_file_name)]


class _Origin(Model):
    """What all origins share: the hash of the archive, and how it differs in layout.

    `include` and `exclude` belong to the source: they see the tree, not the archive.
    """

    sha256: Sha256 | None = None
    subdir: RelativeFolder | None = None
    strip: Strip | None = None


class UrlOrigin(_Origin):
    """A file at an http(s) address."""

    url: str

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"'{redact(value)}' must start with http:// or https:// and a host")
        if parts.username or parts.password:
            raise ValueError(
                f"'{redact(value)}' holds a user name or password: put it into ~/.netrc instead"
            )
        _file_name(unquote(PurePosixPath(parts.path).name))
        return value

    @property
    def filename(self) -> str:
        """The name under which the file is kept."""
        return unquote(PurePosixPath(urlsplit(self.url).path).name)

    @property
    def label(self) -> str:
        """How messages name this origin."""
        return f"url {redact(self.url)}"


class PypiOrigin(_Origin):
    """A file of a project on the Python package index of the user's own pip configuration."""

    pypi: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
    version: str | None = None
    file: FileName

    @model_validator(mode="after")
    def _check_version(self) -> Self:
        if self.version is None:
            return self
        try:
            wanted = Version(self.version)
            if self.file.endswith(".whl"):
                found = parse_wheel_filename(self.file)[1]
            else:
                found = parse_sdist_filename(self.file)[1]
        except InvalidVersion as error:
            raise ValueError(f"version '{self.version}' is not a version (PEP 440)") from error
        except (InvalidSdistFilename, InvalidWheelFilename):
            return self
        if found != wanted:
            raise ValueError(f"version is {wanted}, but the file '{self.file}' is of {found}")
        return self

    @property
    def filename(self) -> str:
        """The name under which the file is kept."""
        return self.file

    @property
    def label(self) -> str:
        """How messages name this origin."""
        return f"pypi {self.pypi}: {self.file}"


class DebianOrigin(_Origin):
    """A file in the pool folder of a Debian source package."""

    debian: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
    file: FileName
    component: Annotated[str, Field(pattern=r"^[a-z-]+$")] = "main"

    @property
    def filename(self) -> str:
        """The name under which the file is kept."""
        return self.file

    @property
    def label(self) -> str:
        """How messages name this origin."""
        return f"debian {self.debian}: {self.file}"


class MavenOrigin(_Origin):
    """A .jar of the user's Maven repository: GROUP:ARTIFACT:VERSION or …:CLASSIFIER."""

    maven: Annotated[str, Field(pattern=r"^\w[\w-]*(\.\w[\w-]*)*(:\w[\w.-]*){2,3}$")]

    @property
    def group(self) -> str:
        """Like org.bytedeco."""
        return self.maven.split(":")[0]

    @property
    def artifact(self) -> str:
        """Like cpython."""
        return self.maven.split(":")[1]

    @property
    def version(self) -> str:
        """Like 3.10.8-1.5.8."""
        return self.maven.split(":")[2]

    @property
    def filename(self) -> str:
        """The name under which the file is kept."""
        return "-".join(self.maven.split(":")[1:]) + ".jar"

    @property
    def label(self) -> str:
        """How messages name this origin."""
        return f"maven {self.maven}"


class LocalOrigin(_Origin):
    """A file or folder on this machine; a relative path starts at the recipe's folder."""

    local: Annotated[str, Field(min_length=1)]

    @property
    def filename(self) -> str:
        """The name under which the file is kept."""
        return PurePosixPath(self.local).name

    @property
    def label(self) -> str:
        """How messages name this origin."""
        return f"local {self.local}"


_KINDS = ("url", "pypi", "debian", "maven", "local")


def _kind(value: object) -> str | None:
    if isinstance(value, Mapping):
        kinds = [kind for kind in _KINDS if kind in value]
    else:
        kinds = [kind for kind in _KINDS if hasattr(value, kind)]
    return f"<{kinds[0]}>" if len(kinds) == 1 else None


Origin = Annotated[
    Annotated[UrlOrigin, Tag("<url>")]
    | Annotated[PypiOrigin, Tag("<pypi>")]
    | Annotated[DebianOrigin, Tag("<debian>")]
    | Annotated[MavenOrigin, Tag("<maven>")]
    | Annotated[LocalOrigin, Tag("<local>")],
    Discriminator(
        _kind,
        custom_error_type="origin_kind",
        custom_error_message="an origin has exactly one of the keys " + ", ".join(_KINDS),
    ),
]


def yaml_path(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The place in the YAML of a pydantic error: its `loc` without the tags of the union."""
    return tuple(part for part in location if not (isinstance(part, str) and part[:1] == "<"))


def _pin(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    if value == UNPINNED:
        if info.context and info.context.get("allow_unpinned"):
            return value
        raise ValueError(
            "is not pinned: `invoke fetch --recipe RECIPE` fetches it and prints the hash to "
            "put here"
        )
    if not value.startswith("sha256:") or not _HEX.fullmatch(value.removeprefix("sha256:")):
        raise ValueError(
            f"'{value}' must be sha256:<64 digits of 0-9 a-f>, or 'unpinned' while a recipe is "
            "written"
        )
    return value


Pin = Annotated[str, BeforeValidator(_pin)]


class Source(Model):
    """One entry of `sources:`.

    Exactly one of `tree` (the archive is unpacked; the pin is `treehash.tree_hash` of the
    result) and `file` (the file stays as it is; the pin is the sha256 of its bytes) is given.
    """

    tree: Pin | None = None
    file: Pin | None = None
    subdir: RelativeFolder | None = None
    strip: Strip = "auto"
    include: tuple[Glob, ...] = ()
    exclude: tuple[Glob, ...] = ()
    origins: tuple[Origin, ...]

    @field_validator("origins")
    @classmethod
    def _check_origins(cls, value: tuple[Origin, ...]) -> tuple[Origin, ...]:
        if not value:
            raise ValueError("needs at least one origin")
        return value

    @model_validator(mode="before")
    @classmethod
    def _check_kind(cls, data: Any) -> Any:
        # Before the fields, so that a bad pin and a bad origin are both reported.
        if isinstance(data, Mapping) and ("tree" in data) == ("file" in data):
            raise ValueError(
                "give exactly one of 'tree: sha256:…' (unpacked) and 'file: sha256:…' (kept as "
                "a file)"
            )
        return data

    @model_validator(mode="after")
    def _check_file(self) -> Self:
        if self.file is None:
            return self
        mine = {"subdir", "strip", "include", "exclude"} & self.model_fields_set
        theirs = {"subdir", "strip"} & {k for o in self.origins for k in o.model_fields_set}
        if used := sorted(mine | theirs):
            raise ValueError(f"{', '.join(used)}: only for 'tree', a 'file' is not unpacked")
        for origin in self.origins:
            if origin.sha256 and self.pinned and origin.sha256 != self.digest:
                raise ValueError(
                    f"sha256 of the origin '{origin.label}' differs from the pin of the file"
                )
        return self

    @property
    def kind(self) -> Literal["tree", "file"]:
        """`tree` or `file`."""
        return "tree" if self.tree is not None else "file"

    @property
    def pin(self) -> str:
        """`sha256:<hex>`, or `unpinned`."""
        return self.tree if self.tree is not None else (self.file or UNPINNED)

    @property
    def pinned(self) -> bool:
        """Whether the pin is a hash."""
        return self.pin != UNPINNED

    @property
    def digest(self) -> str:
        """The hexadecimal digits of the pin."""
        return self.pin.removeprefix("sha256:")

    @property
    def filename(self) -> str:
        """The name of a `file` source: that of its first origin."""
        return self.origins[0].filename

    def selection(self, origin: Origin) -> Selection:
        """How the archive of an origin is unpacked: what it says itself wins."""
        return Selection(
            strip=self.strip if origin.strip is None else origin.strip,
            subdir=(self.subdir if origin.subdir is None else origin.subdir) or "",
            include=self.include,
            exclude=self.exclude,
        )
