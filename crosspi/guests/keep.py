"""Keeps of a build what later steps need: `keep.py BUILD OUT PATTERN...`.

It is alone in a build container: standard library only. Each pattern must match a file below BUILD;
what matches goes to OUT under the same name. Everything else goes with the container.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path

#: As many names of what is there are told.
SHOWN = 30


def kept(build: Path, pattern: str) -> list[Path]:
    """The files that a pattern means."""
    return [path for path in sorted(build.glob(pattern)) if path.is_file()]


def there(build: Path) -> str:
    """What is there, for a message: the names at the top, and how many files of which kind."""
    names = sorted(path.name + "/" * path.is_dir() for path in build.iterdir())
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    kinds = Counter(path.suffix or path.name for path in build.rglob("*") if path.is_file())
    counts = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common(SHOWN))
    return f"{' '.join(names[:SHOWN])}{more}\nfiles by their endings: {counts or 'none'}"


def main(build: Path, out: Path, patterns: list[str]) -> int:
    """Keep all; returns the exit code."""
    code = 0
    for pattern in patterns:
        found = kept(build, pattern)
        if not found:
            print(f"keep: '{pattern}' matches no file; there is: {there(build)}")
            code = 1
        for path in found:
            target = out / path.relative_to(build)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
