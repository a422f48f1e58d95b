"""What a source distribution says of itself: metadata, build system, licence, modules, languages.

It is read, not run: PKG-INFO (PEP 643), pyproject.toml (PEP 518, 517), names of files, and of
setup.py the names of its extensions as they are written there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from crosspi.errors import SourceError

#: Folders of tests, documentation and the like: no modules of the package.
_ASIDE = re.compile(r"^(tests?|testing|docs?|examples?|benchmarks?|tools|scripts|ci|build)$")
_EXTENSION = re.compile(r"""\bExtension\(\s*(?:name\s*=\s*)?["']([A-Za-z_][\w.]*)["']""")
_BUILD_FILES = ("setup.py", "setup.cfg", "pyproject.toml", "meson.build", "CMakeLists.txt")
_FORTRAN = re.compile(r"fortran|\bf2py\b|\.f(77|9[05])?\b", re.IGNORECASE)
_INCLUDE = re.compile(r"""^\s*include\s+["']([^"']+)["']""", re.MULTILINE)
_LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|notice)", re.IGNORECASE)
#: Where nothing is said of a build system (PEP 517).
_LEGACY = "setuptools.build_meta:__legacy__"


@dataclass(frozen=True)
class Sdist:
    """An unpacked source distribution."""

    tree: Path

    @cached_property
    def metadata(self) -> Message:
        """Its PKG-INFO.

        Raises:
            SourceError: it has none.
        """
        path = self.tree / "PKG-INFO"
        if not path.is_file():
            raise SourceError(
                "the source distribution has no PKG-INFO",
                where=str(self.tree),
                why="it is no sdist, or of a time before them",
                fix="write the recipe by hand: see README, Adding a package",
            )
        return Parser().parsestr(path.read_text(encoding="utf-8", errors="replace"))

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """Its pyproject.toml; empty where it has none.

        Raises:
            SourceError: it cannot be read.
        """
        path = self.tree / "pyproject.toml"
        try:
            return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SourceError(
                "the source distribution's pyproject.toml is broken",
                where=str(path),
                why=str(error),
                fix="see the project's own bug tracker, or take another version",
            ) from error

    @property
    def backend(self) -> str:
        """The build backend, as PEP 517 names it."""
        return str(self.pyproject.get("build-system", {}).get("build-backend", _LEGACY))

    @property
    def own_backend(self) -> bool:
        """Whether the backend is part of the source distribution (PEP 517, in-tree)."""
        return bool(self.pyproject.get("build-system", {}).get("backend-path"))

    @property
    def build_requires(self) -> list[Requirement]:
        """What its build asks for on the build machine."""
        written = self.pyproject.get("build-system", {}).get("requires", ["setuptools"])
        return _true_ones(written, python="3.11", machine="x86_64")

    @property
    def run_requires(self) -> list[Requirement]:
        """What pip installs along on a board, extras apart."""
        return _true_ones(
            self.metadata.get_all("Requires-Dist", []), python="3.11", machine="armv7l"
        )

    @property
    def summary(self) -> str:
        """One line about it."""
        return str(self.metadata["Summary"] or "").strip().rstrip(".")

    @property
    def homepage(self) -> str:
        """Its page: what it calls so, else the first of its addresses."""
        urls = [u.partition(",")[::2] for u in self.metadata.get_all("Project-URL", [])]
        named = {label.strip().lower(): url.strip() for label, url in urls}
        first = next(iter(named.values()), "")
        found = str(self.metadata["Home-page"] or "") or named.get("homepage", "")
        return found or named.get("source", "") or first

    @property
    def licence(self) -> str:
        """Its licence, as it says it: an expression (PEP 639), a name, or a classifier's words."""
        said = str(self.metadata["License-Expression"] or self.metadata["License"] or "").strip()
        if said and "\n" not in said and len(said) <= 60:
            return said
        words = [
            c.rpartition(" :: ")[2]
            for c in self.metadata.get_all("Classifier", [])
            if c.startswith("License :: OSI Approved :: ")
        ]
        return " and ".join(words)

    @property
    def licence_files(self) -> list[str]:
        """The names of its licence texts."""
        return sorted(p.name for p in self.tree.iterdir() if _LICENCE_FILE.match(p.name))

    @property
    def languages(self) -> set[str]:
        """Of c, cython, rust and fortran those that it has sources in, tests and such apart.

        Fortran only where what builds it speaks of it: trees that are brought along (Eigen's) have
        files of it that nobody compiles.
        """
        suffixes = {
            **dict.fromkeys((".c", ".cc", ".cpp", ".cxx"), "c"),
            ".pyx": "cython",
            ".rs": "rust",
            **dict.fromkeys((".f", ".f77", ".f90", ".f95"), "fortran"),
        }
        found = {suffixes[p.suffix] for p in self._files() if p.suffix in suffixes}
        return found if self._speaks_of_fortran() else found - {"fortran"}

    def _speaks_of_fortran(self) -> bool:
        paths = (self.tree / name for name in _BUILD_FILES)
        texts = (p.read_text(encoding="utf-8", errors="replace") for p in paths if p.is_file())
        return any(_FORTRAN.search(text) for text in texts)

    @property
    def modules(self) -> list[str]:
        """The names under which its modules are imported, as far as files tell."""
        names = set(self.extensions)
        parts_of_others = self._included()
        for top in self._tops():
            if top.is_file():
                names.add(top.stem)
                continue
            for path in sorted(top.rglob("*")):
                parts = path.relative_to(top.parent).parts
                hidden = any(_ASIDE.match(part) or part[:1] in "." for part in parts[1:-1])
                if path.suffix not in (".py", ".pyx") or hidden or path.name in parts_of_others:
                    continue
                name = ".".join(parts).rpartition(".")[0].removesuffix(".__init__")
                if re.fullmatch(r"[A-Za-z_][\w.]*", name) and not _aside(name):
                    names.add(name)
        return sorted(names)

    @property
    def extensions(self) -> list[str]:
        """The names of extensions that setup.py spells out."""
        path = self.tree / "setup.py"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return sorted(set(_EXTENSION.findall(text)))

    def _included(self) -> set[str]:
        """The names of Cython files that are parts of others."""
        paths = self.tree.rglob("*.pyx")
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in paths)
        return {name.rpartition("/")[2] for text in texts for name in _INCLUDE.findall(text)}

    def _tops(self) -> Iterator[Path]:
        """The packages and modules at the top: what setuptools lists, else what looks like one."""
        roots = [
            root for root in (self.tree / "src", self.tree / "lib", self.tree) if root.is_dir()
        ]
        listed = sorted(self.tree.rglob("*.egg-info/top_level.txt"))
        names = listed[0].read_text(encoding="utf-8").split() if listed else []
        for name in names:
            for root in roots:
                if (root / name).is_dir():
                    yield root / name
                    break
                if (root / f"{name}.py").is_file():
                    yield root / f"{name}.py"
                    break
        if not names:
            for root in roots:
                found = [p.parent for p in sorted(root.glob("*/__init__.py"))]
                packages = [path for path in found if not _ASIDE.match(path.name)]
                yield from packages
                if packages:
                    return

    def _files(self) -> Iterator[Path]:
        for path in self.tree.rglob("*"):
            if not any(_ASIDE.match(part) for part in path.relative_to(self.tree).parts[:-1]):
                yield path


def _aside(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last in ("__main__", "conftest", "setup") or bool(re.match(r"tests?_|tests?$", last))


def _true_ones(written: list[Any], *, python: str, machine: str) -> list[Requirement]:
    """The requirements whose markers hold on a system, without those of extras."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    found = []
    for text in written:
        try:
            requirement = Requirement(str(text))
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found.append(requirement)
    return found
