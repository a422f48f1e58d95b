"""Where a file of a Debian source package lies in the pool of a repository.

The repositories come from the apt configuration, given by the caller: no mirror is named here.
Debian policy: `pool/COMPONENT/PREFIX/PACKAGE/FILE`, where PREFIX is the first letter of the
source package, or its first four for `lib…`; security archives have `pool/updates/…`.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from crosspi.data.source import DebianOrigin

_SCHEMES = ("http", "https", "file")


def pool_prefix(package: str) -> str:
    """The folder of a source package's first letters."""
    return package[:4] if package.startswith("lib") else package[:1]


def candidates(origin: DebianOrigin, repositories: Iterable[str]) -> list[str]:
    """The addresses at which the file may lie, best first, each once.

    `+` is written `%2B`, since some servers take it for a space; `~` stays (RFC 3986 §2.3).
    Repositories of other schemes (cdrom:, mirror+…:) are left out.
    """
    urls: dict[str, None] = {}
    for repository in repositories:
        parts = urlsplit(repository)
        scheme = "file" if parts.scheme == "copy" else parts.scheme
        if scheme not in _SCHEMES:
            continue
        base = parts._replace(scheme=scheme).geturl().rstrip("/")
        security = "security" in (parts.hostname or "") or "security" in parts.path
        for pool in ("pool/updates", "pool") if security else ("pool",):
            folder = f"{base}/{pool}/{origin.component}/{pool_prefix(origin.debian)}"
            urls[f"{folder}/{quote(origin.debian)}/{quote(origin.file)}"] = None
    # Few sources lie in a security archive: asked last.
    return sorted(urls, key=lambda url: "/pool/updates/" in url)
