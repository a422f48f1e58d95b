from __future__ import annotations

import pytest

from crosspi.data.source import DebianOrigin
from crosspi.sources.debian import candidates, pool_prefix

ORIGIN = DebianOrigin(debian="flatbuffers", file="f_1~b+dfsg.tar.xz")


@pytest.mark.parametrize(
    ("package", "prefix"), [("eigen3", "e"), ("libffi", "libf"), ("lib", "lib"), ("llvm", "l")]
)
def test_pool_prefix(package: str, prefix: str) -> None:
    assert pool_prefix(package) == prefix


def test_plus_is_quoted_and_tilde_is_not() -> None:
    assert candidates(ORIGIN, ["http://m.example/debian/"]) == [
        "http://m.example/debian/pool/main/f/flatbuffers/f_1~b%2Bdfsg.tar.xz"
    ]


def test_a_security_archive_is_asked_last_and_has_its_own_pool() -> None:
    urls = candidates(ORIGIN, ["http://m.example/debian-security", "http://m.example/debian"])
    assert [url.split("/f/")[0] for url in urls] == [
        "http://m.example/debian-security/pool/main",
        "http://m.example/debian/pool/main",
        "http://m.example/debian-security/pool/updates/main",
    ]


def test_other_schemes_are_left_out() -> None:
    assert candidates(ORIGIN, ["cdrom://x/", "copy:/srv/debian"]) == [
        "file:///srv/debian/pool/main/f/flatbuffers/f_1~b%2Bdfsg.tar.xz"
    ]
