# Old Python on purpose, without annotations.
# mypy: ignore-errors
"""The smoke test of what has no Python: each program in the data folder `programs` is a test.

The harness runs it on the board, like a recipe's own smoke.py: Python 2.7 and 3.4 and newer. A
program passes if it ends with 0; what it prints is in the log, and its last lines in the message.
It runs in the recipe's folder; its arguments are the data folders of `smoke.data`, by name.
"""

import os
import signal
import subprocess

PROGRAMS = "/data/programs"
DATA = "/data"
LINES = 10


def signal_name(number):
    names = [n for n in dir(signal) if n.startswith("SIG") and not n.startswith("SIG_")]
    found = [n for n in names if getattr(signal, n) == number]
    return found[0] if found else "signal %d" % number


def running(name):
    def test(case):
        folders = [os.path.join(DATA, f) for f in sorted(os.listdir(DATA)) if f != "programs"]
        process = subprocess.Popen(
            [os.path.join(PROGRAMS, name)] + folders,
            cwd="/recipe",
            stdin=open(os.devnull),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = process.communicate()[0].decode("utf-8", "replace")
        print(said)
        last = " | ".join(said.splitlines()[-LINES:])
        code = process.returncode
        case.check(code >= 0, "%s ended it: %s" % (signal_name(-code), last))
        case.check(code == 0, "it ended with %d: %s" % (code, last))

    test.__doc__ = "The program %s." % name
    return test


for _name in sorted(os.listdir(PROGRAMS)):
    globals()["test_" + _name] = running(_name)
