"""Debian's own mirrors, as this machine's apt configuration names them.

apt itself is asked (`apt-get indextargets`, apt-get(8)): it knows for each index from which Release
file it came, and that file says whose repository it is. A third party's repository may lie in a
folder of any name, and Debian's own may be reached by a list of mirrors on this machine, as on
Debian's cloud images (apt-transport-mirror(1)).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

#: One line an index. apt leaves the name of a field where it has no value for it.
FORMAT = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
_COMMAND = ("apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages")
_LISTS = ("mirror+file:", "mirror+copy:")


@dataclass(frozen=True)
class Mirrors:
    """The addresses of Debian's archives without a slash at the end, "" where none is known."""

    main: str = ""
    security: str = ""


def debian_mirrors(indexes: str, read: Callable[[str], str]) -> Mirrors:
    """The mirrors among what apt says of its indexes.

    Args:
        indexes: lines of `FORMAT`.
        read: the text of a file of this machine, for lists of mirrors.
    """
    main: list[str] = []
    security: list[str] = []
    guessed_main: list[str] = []
    guessed_security: list[str] = []
    for line in dict.fromkeys(indexes.splitlines()):
        origin, label, uri = ([*line.split("|"), "", "", ""])[:3]
        addresses = [address.rstrip("/") for address in resolve(uri, read)]
        if origin == "Debian":
            (security if label == "Debian-Security" else main).extend(addresses)
        elif origin.startswith("$"):  # its Release file was not read yet: only the address is left
            guessed_main += [one for one in addresses if one.endswith("/debian")]
            guessed_security += [one for one in addresses if one.endswith("/debian-security")]
    return Mirrors(_first(main + guessed_main), _first(security + guessed_security))


def _first(addresses: Sequence[str]) -> str:
    """The first that containers can reach too: no disc, no folder of this machine."""
    schemes = ("http:", "https:", "mirror+http:", "mirror+https:")
    return next((one for one in addresses if one.startswith(schemes)), "")


def resolve(address: str, read: Callable[[str], str]) -> list[str]:
    """The addresses behind one of apt's: those of its list of mirrors, else itself."""
    scheme = next((scheme for scheme in _LISTS if address.startswith(scheme)), None)
    if scheme is None:
        return [address]
    path = "/" + address.removeprefix(scheme).strip("/")
    try:
        text = read(path)
    except (OSError, UnicodeDecodeError):
        return []
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    return [words[0] for words in lines if words]


def machine_mirrors() -> Mirrors:
    """Those of this machine; none without apt."""
    try:
        done = subprocess.run(_COMMAND, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return Mirrors()
    return debian_mirrors(done.stdout, lambda path: Path(path).read_text(encoding="utf-8"))
