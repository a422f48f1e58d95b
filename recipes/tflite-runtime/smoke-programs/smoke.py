# ruff: noqa
"""Smoke tests of what is compiled once: XNNPACK's own unit tests, linked with that library.

Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

#: After so many seconds a program is told as one that hangs.
LIMIT = 1800
#: Two operators take two thirds of the time: outside the level full, of so many of their tests one
#: is run, every N-th (googletest's sharding), so that each kind is among them.
SHARDS = {"operators-batch-matrix-multiply-nc": 8, "operators-binary-elementwise-nd": 8}


def test_xnnpack_operators(case):
    """XNNPACK's unit tests of its operators."""
    run_programs(case, "operators-")


def test_xnnpack_kernels(case):
    """XNNPACK's unit tests of every kernel in the wheel, by itself."""
    if not any(name.startswith("kernels-") for name in os.listdir(case.data("programs"))):
        case.skip("the recipe builds none of this version's")
    run_programs(case, "kernels-")


test_xnnpack_kernels.level = "full"
#: Of a test: an emulator on a busy machine is slow.
TEST_SECONDS = 5400


def run_programs(case, kind):
    """Runs all programs of a kind; none may die, hang, or fail one of its tests.

    As many run at once as there are cores. The numbers are noted: of programs, of their tests that
    were run, that passed, that skipped themselves (kernels for instructions which this processor
    does not have).
    """
    folder = case.data("programs")
    before = os.times()
    names = sorted(name for name in os.listdir(folder) if name.startswith(kind))
    shards = {} if case.level == "full" else SHARDS

    def run(name):
        return run_program(os.path.join(folder, name), shards=shards.get(name, 1))

    results = in_parallel(run, names)
    counts = {"programs": len(names), "run": 0, "passed": 0, "skipped": 0}
    wrong = []
    for name, (counted, failed) in zip(names, results):
        wrong.extend("%s: %s" % (name, one) for one in failed)
        for key in counted:
            counts[key] += counted[key]
    for key in sorted(counts):
        case.note(key, counts[key])
    after = os.times()
    case.note("cpu_seconds", round(after[2] + after[3] - before[2] - before[3], 1))
    case.equal(wrong, [], "tests of XNNPACK's that failed")
    case.check(counts["passed"] > 0, "no test was run")


def in_parallel(function, arguments):
    """What a function that cannot fail gives for each argument, on all cores."""
    todo = list(enumerate(arguments))[::-1]
    results = [None] * len(todo)

    def work():
        while True:
            try:
                place, argument = todo.pop()  # a list's own lock is enough
            except IndexError:
                return
            results[place] = function(argument)

    threads = [threading.Thread(target=work) for _ in range(multiprocessing.cpu_count())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def run_program(path, limit=LIMIT, shards=1):
    """(how many of a program's tests were run, passed and skipped themselves; what failed)"""
    began = time.time()
    folder = tempfile.mkdtemp()
    report = os.path.join(folder, "report.json")
    try:
        process = subprocess.Popen(
            [
                path,
                "--gtest_brief=1",
                "--gtest_random_seed=1",  # the same numbers each time
                # Complaints that a suite has no tests: its kernels are not in the wheel.
                "--gtest_filter=-GoogleTestVerification.*",
                "--gtest_output=json:" + report,
            ],
            env=dict(os.environ, GTEST_TOTAL_SHARDS=str(shards), GTEST_SHARD_INDEX="0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        timer = threading.Timer(limit, process.kill)
        timer.start()
        printed = process.communicate()[0].decode("utf-8", "replace")
        hung = not timer.is_alive()
        timer.cancel()
        counts, failed = {}, []
        if os.path.exists(report):
            with open(report) as stream:
                counts, failed = read(json.load(stream))
    except (EnvironmentError, ValueError) as error:
        return {}, ["cannot be run, or its report not be read: %s" % error]
    finally:
        shutil.rmtree(folder)
    last = printed[-500:]
    if hung:
        failed.append("did not end within %d seconds: %s" % (limit, last))
    elif process.returncode != (1 if failed else 0) or not counts:
        failed.append("ended with %d: %s" % (process.returncode, last))
    told = " ".join("%d %s" % (counts[key], key) for key in sorted(counts))
    print("%-45s %s (%.0f s)" % (os.path.basename(path), told, time.time() - began))
    sys.stdout.flush()
    return counts, failed


def read(report):
    """(how many tests of googletest's report were run, passed and skipped; which failed)"""
    counts = {"run": 0, "passed": 0, "skipped": 0}
    failed = []
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            if test["status"] != "RUN":
                continue
            counts["run"] += 1
            if test.get("failures"):
                failed.append("%s.%s" % (suite["name"], test["name"]))
            elif test["result"] == "SKIPPED":
                counts["skipped"] += 1
            else:
                counts["passed"] += 1
    return counts, failed
