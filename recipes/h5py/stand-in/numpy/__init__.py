"""What the build asks of numpy: the board's is there (`requires.build`), and does not run here."""

import os
import sys

_BOARDS = next(
    folder
    for folder in (os.path.join(entry, "numpy") for entry in sys.path)
    if os.path.isdir(os.path.join(folder, "_core", "include"))
)
with open(os.path.join(_BOARDS, "version.py")) as _stream:
    _VALUES = {}
    exec(_stream.read(), _VALUES)
__version__ = _VALUES["version"]


def get_include():
    return os.path.join(_BOARDS, "_core", "include")
