"""Invoke, with our words for misspelt tasks and options: `python -m crosspi`, called by `./inv`."""

from __future__ import annotations

from crosspi import __version__
from crosspi.cli.program import CrosspiProgram

if __name__ == "__main__":
    CrosspiProgram(name="inv", binary="inv", version=__version__).run()
