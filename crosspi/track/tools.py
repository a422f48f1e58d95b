"""Renews the locks of build tools: pip resolves, the lock of PEP 751 says what it found.

pip is asked for what it would install, as a report (`--dry-run --report`): by the user's own
configuration, wheels alone, so that nothing of what it looks at is run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import Field

from crosspi.data.document import Document, Fault, Model
from crosspi.data.recipe_data import RequirementText
from crosspi.data.source import UNPINNED, PypiOrigin, Source
from crosspi.data.tool_sets import BUILD_GLIBC, BUILD_PYTHON, SUFFIX
from crosspi.errors import DataError, SourceError, UsageError, did_you_mean
from crosspi.files import write_text
from crosspi.sources.cache import SourceCache
from crosspi.urls import redact

#: Beside the locks: what they are made of.
WANTED = "tools.yaml"
_BUILD = ".".join(map(str, BUILD_PYTHON))


class Wanted(Model):
    """What a lock is made of.

    Attributes:
        requirements: what pip is asked for.
        python: for which Python.
        tests: whether tests see the unpacked wheels.
    """

    requirements: tuple[RequirementText, ...] = Field(min_length=1)
    python: str = Field(default=_BUILD, pattern=r"^[23]\.\d+$")
    tests: bool = False


@dataclass(frozen=True)
class Locked:
    """A package of a lock: its one wheel, and the hash of the unpacked tree where tests see it."""

    name: str
    version: str
    file: str
    sha256: str
    tree: str = ""


def read_wanted(folder: Path) -> Mapping[str, Wanted]:
    """What the locks of a folder are made of, by name.

    Raises:
        DataError: with all faults of the file.
    """
    document = Document.read(folder / WANTED)
    if not isinstance(document.data, dict):
        raise document.error(
            [Fault((), "must be a mapping: the name of a lock → its requirements")]
        )
    return {str(name): document.model(Wanted, where=(name,)) for name in document.data}


def choose(wanted: Mapping[str, Wanted], names: list[str]) -> list[str]:
    """The locks of these names, or all.

    Raises:
        UsageError: one is unknown.
    """
    for name in names:
        if name not in wanted:
            raise UsageError(
                f"there is no tool set '{name}'",
                where="--tools",
                fix=f"{did_you_mean(name, wanted)}; they stand in recipes/tools/{WANTED}",
            )
    return names or list(wanted)


def resolve(wanted: Wanted, run: Callable[[list[str]], str] | None = None) -> list[Locked]:
    """What pip would install of it: each package with its wheel.

    Args:
        wanted: what is asked for.
        run: runs pip and gives its report; for tests.

    Raises:
        SourceError: pip finds no solution, or cannot reach an index.
    """
    report = json.loads((run or _pip)(_arguments(wanted)))
    return sorted((_locked(found) for found in report["install"]), key=lambda package: package.name)


def _arguments(wanted: Wanted) -> list[str]:
    """pip's options: for another Python than its own, wheels alone."""
    major, minor = BUILD_GLIBC
    if wanted.tests or wanted.python != _BUILD:
        # Run by many Pythons, or unpacked on a board: only what is the same everywhere.
        platforms = ["any"]
        abis = ["none"]
    else:
        platforms = [f"manylinux_{major}_{n}_x86_64" for n in range(minor, 16, -1)]
        platforms += ["manylinux2014_x86_64", "any"]
        abis = ["cp" + _BUILD.replace(".", ""), "abi3", "none"]
    return [
        *("--ignore-installed", "--only-binary", ":all:", "--python-version", wanted.python),
        *("--implementation", "py" if platforms == ["any"] else "cp"),
        *(part for name in platforms for part in ("--platform", name)),
        *(part for name in abis for part in ("--abi", name)),
        *wanted.requirements,
    ]


def _pip(arguments: list[str]) -> str:
    with tempfile.TemporaryDirectory(prefix="crosspi-tools-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet"]
        command += ["--report", str(report), "--target", folder, *arguments]
        environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COLOR": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            last = [line for line in done.stderr.splitlines() if line.strip()][-3:]
            raise SourceError(
                "pip found no wheels for these build tools",
                where=" ".join(arguments[arguments.index("--python-version") :]),
                why=redact("\n".join(last)) or f"exit code {done.returncode}",
                fix=f"correct the requirements in recipes/tools/{WANTED}, or see `pip config list`",
            )
        return report.read_text(encoding="utf-8")


def _locked(found: Mapping[str, Any]) -> Locked:
    about, download = found["metadata"], found["download_info"]
    return Locked(
        name=canonicalize_name(about["name"]),
        version=str(Version(about["version"])),
        file=unquote(urlsplit(download["url"]).path.rpartition("/")[2]),
        sha256=download["archive_info"]["hashes"]["sha256"],
    )


def with_tree(package: Locked, cache: SourceCache) -> Locked:
    """A package with the hash of its unpacked wheel, which is fetched.

    Raises:
        SourceError: it cannot be had, or is not the file that pip spoke of.
    """
    origin = PypiOrigin(
        pypi=package.name, version=package.version, file=package.file, sha256=package.sha256
    )
    # Not validated: that it is unpinned is what is mended here.
    source = Source.model_construct(tree=UNPINNED, origins=(origin,))
    measured = cache.measure(package.name, source)
    return Locked(**{**vars(package), "tree": measured.pin})


def lock_text(name: str, wanted: Wanted, packages: list[Locked]) -> str:
    """A lock of PEP 751, the same for the same packages."""
    lines = [
        f"# Written by `invoke track --tools {name}` from {WANTED}. A lock names no index: where",
        "# its files come from is the configuration of pip.",
        'lock-version = "1.0"',
        'created-by = "crosspi"',
        f'requires-python = ">={wanted.python}"',
    ]
    for package in packages:
        hashes = f'hashes = {{ sha256 = "{package.sha256}" }}'
        lines += [
            "",
            "[[packages]]",
            f'name = "{package.name}"',
            f'version = "{package.version}"',
            f'wheels = [{{ path = "{package.file}", {hashes} }}]',
        ]
        if package.tree:
            lines += ["[packages.tool.crosspi]", f'tree = "{package.tree}"']
    return "\n".join(lines) + "\n"


def renew(folder: Path, name: str, wanted: Wanted, cache: SourceCache) -> bool:
    """Write a lock anew; whether it changed.

    Raises:
        SourceError: see `resolve` and `with_tree`.
        DataError: what pip found would not do as a lock.
    """
    packages = resolve(wanted)
    if not packages:
        raise DataError(f"pip would install nothing for the tool set '{name}'", where=WANTED)
    if wanted.tests:
        packages = [with_tree(package, cache) for package in packages]
    path = folder / f"{name}{SUFFIX}"
    text = lock_text(name, wanted, packages)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_text(path, text)
    return True
