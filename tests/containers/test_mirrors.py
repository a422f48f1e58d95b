"""Debian's mirrors, out of what apt says of its indexes."""

from __future__ import annotations

import pytest

from crosspi.containers.mirrors import Mirrors, debian_mirrors, resolve

FILES = {
    "/etc/apt/mirrors/debian.list": "# ours\n\nhttps://near.example/debian/ priority:1\n"
    "https://far.example/debian\n",
    "/etc/apt/mirrors/debian-security.list": "https://near.example/debian-security\n",
}


def read(path: str) -> str:
    if path not in FILES:
        raise FileNotFoundError(path)
    return FILES[path]


#: As `apt-get indextargets --format` prints them, and what they name.
APT = {
    "an installed Debian": (
        "Debian|Debian|http://a.example/debian/\n"
        "Debian|Debian|http://a.example/debian/\n"
        "Debian|Debian-Security|http://a.example/debian-security/\n",
        Mirrors("http://a.example/debian", "http://a.example/debian-security"),
    ),
    "a third party's before it, in a folder debian": (
        "Google LLC|Google LLC|https://third.example/linux/debian/\n"
        "Debian|Debian|http://a.example/any/folder/\n",
        Mirrors("http://a.example/any/folder"),
    ),
    "a third party's alone": ("Docker|Docker CE|https://third.example/linux/debian/\n", Mirrors()),
    "a third party's whose Release file says nothing": (
        "||https://third.example/debian/\n",
        Mirrors(),
    ),
    "Debian's cloud image": (
        "Debian|Debian|mirror+file:///etc/apt/mirrors/debian.list/\n"
        "Debian|Debian-Security|mirror+file:///etc/apt/mirrors/debian-security.list/\n",
        Mirrors("https://near.example/debian", "https://near.example/debian-security"),
    ),
    "a list that is not there": ("Debian|Debian|mirror+file:/no.list/\n", Mirrors()),
    "a list that a server keeps": (
        "Debian|Debian|mirror+https://a.example/list/\n",
        Mirrors("mirror+https://a.example/list"),
    ),
    "a disc and a folder before a server": (
        "Debian|Debian|cdrom://[Debian 12]/\n"
        "Debian|Debian|file:/srv/mirror/\n"
        "Debian|Debian|http://a.example/debian/\n",
        Mirrors("http://a.example/debian"),
    ),
    "lists that were never read": (
        "$(ORIGIN)|$(LABEL)|http://other.example/tools/\n"
        "$(ORIGIN)|$(LABEL)|mirror+file:/etc/apt/mirrors/debian.list/\n"
        "$(ORIGIN)|$(LABEL)|http://a.example/debian-security/\n",
        Mirrors("https://near.example/debian", "http://a.example/debian-security"),
    ),
    "no apt": ("", Mirrors()),
}


@pytest.mark.parametrize("name", APT)
def test_the_mirrors_are_debians_own(name: str) -> None:
    said, mirrors = APT[name]
    assert debian_mirrors(said, read) == mirrors


def test_all_of_a_list_are_found() -> None:
    found = resolve("mirror+file:/etc/apt/mirrors/debian.list", read)
    assert found == ["https://near.example/debian/", "https://far.example/debian"]
