# Old Python on purpose, without annotations.
# mypy: ignore-errors
"""What runs first on the emulated board: pip installs, then the harness runs the smoke test.

Valid for Python 2.7 and 3.4 and newer; it imports nothing of crosspi. How both ended goes to
/out/exit.json, also when a signal ended one.
"""

import json
import os
import subprocess
import sys


def main(arguments):
    index, requirement = arguments[:2]
    exits = {"install": None, "harness": None}
    environment = dict(os.environ, PYTHONUSERBASE="/tmp/user", PYTHONDONTWRITEBYTECODE="1")
    # Debian marks its Python as externally managed (PEP 668); old pips do not know the variable.
    environment["PIP_BREAK_SYSTEM_PACKAGES"] = "1"
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    install = [sys.executable, "-m", "pip", "install", "--user", "--no-cache-dir"]
    if requirement:
        install += ["--index-url", index, requirement]
        exits["install"] = subprocess.call(install, env=environment)
    else:  # the board itself is tested
        exits["install"] = 0
    if exits["install"] == 0:
        exits["harness"] = subprocess.call([sys.executable] + arguments[2:], env=environment)
    with open("/out/exit.json", "w") as out:
        json.dump(exits, out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
