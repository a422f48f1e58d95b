"""What XNNPACK's source says of its kernels: which are compiled, what parameters they read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """XNNPACK's source: which kernels it compiles, and how they read their parameters."""

    folder: Path

    @cached_property
    def compiled(self) -> set[str]:
        """The functions of the files of the lists `PROD_...` of its CMake files."""
        names: set[str] = set()
        for path in sorted((self.folder / "cmake" / "gen").glob("*_microkernels.cmake")):
            text = path.read_text(encoding="utf-8")
            for block in re.findall(r"SET\(PROD_\w+(.*?)\)", text, re.DOTALL):
                for file in block.split():
                    names |= set(self._functions(file))
        return names

    def _functions(self, file: str) -> list[str]:
        found = re.findall(r"BEGIN_FUNCTION (xnn_\w+)|\b(xnn_\w+_ukernel\w*)\(", self._text(file))
        return [assembled or compiled for assembled, compiled in found]

    def _text(self, file: str) -> str:
        path = self.folder / file
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @cached_property
    def _places(self) -> dict[str, str]:
        """The text of the file of each kernel in C."""
        found = {}
        for path in sorted((self.folder / "src").rglob("*.c")):
            text = path.read_text(encoding="utf-8")
            for name in re.findall(r"^\w[\w ]* (xnn_\w+_ukernel\w*)\(", text, re.MULTILINE):
                found[name] = text
        return found

    @cached_property
    def _inits(self) -> dict[str, str]:
        """The body of each function that fills a kernel's parameters."""
        text = self._text("src/microparams-init.c")
        parts = re.split(r"^(?:size_t|void) (xnn_\w+)\(", text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    def unwritten(self, kernel: str, init: str) -> list[str]:
        """The parameters that a kernel in C reads and an init function does not write."""
        text, body = self._places.get(kernel, ""), self._inits[init]
        # Unary kernels share one union, binary ones another: each has its type's name in it.
        kind = re.search(r"xnn_(\w+)_params params\[", text)
        below = f"{kind[1]}." if kind and re.search(r"xnn_\w+_uparams\*", body) else ""
        return sorted({below + name for name in _members(text)} - set(_members(body)))

    def knows_init(self, init: str) -> bool:
        """Is there an init function of this name?"""
        return init in self._inits


def _members(text: str) -> list[str]:
    return re.findall(r"\bu?params(?:->|\[0\]\.)(\w+(?:\.\w+)*)", text)
