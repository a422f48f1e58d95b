# Old Python on purpose, without annotations.
# mypy: ignore-errors
# ruff: noqa
"""Runs one module of CPython's own tests in a process of its own.

    python cpython_tests.py LIB MODULE OUT.json [PATTERN...]

LIB is the folder `Lib` of CPython's sources. Only its tests are taken from there: the standard
library is the board's own. MODULE may be a package and `.*`: all its test modules. Tests whose
name holds a PATTERN are left out.
"""

import importlib
import json
import os
import sys
import unittest


WRAPPER = """#!/bin/sh
for argument; do
  shift
  case $argument in -I|-E) ;; *) set -- "$@" "$argument" ;; esac
done
PYTHONPATH=%s exec %s "$@"
"""


def find_tests(lib, folder):
    """Makes the tests importable, here and in the processes that they start."""
    os.symlink(os.path.join(lib, "test"), os.path.join(folder, "test"))
    sys.path.insert(0, folder)
    for name in ("ctypes", "json"):  # until 3.11 and in 2.7, their tests lay beside them
        __import__(name)
        sys.modules[name].__path__.append(os.path.join(lib, name))
    # They are started isolated, and would not see PYTHONPATH.
    wrapper = os.path.join(folder, "python")
    with open(wrapper, "w") as stream:
        stream.write(WRAPPER % (folder, sys.executable))
    os.chmod(wrapper, 0o755)
    sys.executable = wrapper


def modules_of(name):
    """The names of the modules that are meant by MODULE."""
    if not name.endswith(".*"):
        return [name]
    package = name[:-2]
    __import__(package)
    names = set()
    for folder in sys.modules[package].__path__:
        for file_name in os.listdir(folder):
            if file_name.startswith("test_") and file_name.endswith(".py"):
                names.add(package + "." + file_name[:-3])
    return sorted(names)


def flat(suite):
    """The single tests of a suite."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            for test in flat(item):
                yield test
        else:
            yield item


class Runs(object):
    """Runs suites of tests, without those that are left out, and adds up what came of them."""

    def __init__(self, patterns):
        self._patterns = patterns
        self.told = {"run": 0, "skipped": 0, "left_out": 0, "failures": [], "reasons": {}}

    def run(self, suite):
        tests = list(flat(suite))
        chosen = [t for t in tests if not any(pattern in t.id() for pattern in self._patterns)]
        result = unittest.TextTestRunner(stream=sys.stdout).run(unittest.TestSuite(chosen))
        told = self.told
        told["run"] += result.testsRun
        told["left_out"] += len(tests) - len(chosen)
        for _, why in result.skipped:
            self.skip(why)
        bad = result.failures + result.errors
        bad += [
            (test, "passed, and was expected to fail")
            for test in getattr(result, "unexpectedSuccesses", [])
        ]
        told["failures"] += [{"name": test.id(), "traceback": text} for test, text in bad]

    def skip(self, why):
        self.told["skipped"] += 1
        self.told["reasons"][why] = self.told["reasons"].get(why, 0) + 1


def main(arguments):
    lib, module, out = arguments[:3]
    find_tests(lib, os.getcwd())
    from test import support

    support.use_resources = {}  # nothing slow, nothing of the network
    runs = Runs(arguments[3:])
    support._run_suite = runs.run
    for name in modules_of(module):
        try:
            tests = importlib.import_module(name)
        except unittest.SkipTest as why:  # all of it, for another system
            runs.told["run"] += 1
            runs.skip(str(why))
            continue
        # As regrtest does: the old way is a function that calls run_unittest, and so the above.
        if hasattr(tests, "test_main"):
            tests.test_main()
        else:
            runs.run(unittest.defaultTestLoader.loadTestsFromName(name))
    with open(out, "w") as stream:
        json.dump(runs.told, stream)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
