"""Addresses as messages may show them."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def redact(text: str) -> str:
    """The text with the user name and password of every address in it removed (RFC 3986 §3.2.1)."""
    return _USERINFO.sub("", text)
