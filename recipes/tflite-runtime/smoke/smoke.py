"""Smoke tests of the archive: programs linked with its libraries, and its own program.

Runs on Python 2.7 and 3.4 and newer.
"""
from __future__ import division, print_function

import os
import re
import subprocess

# Where the board has the recipe's folder: the harness runs this file from another place.
NET = '/recipe/smoke/convnet_float.tflite'


def run(case, program, *arguments):
    """What a program of the archive says; it must end well."""
    command = [os.path.join(case.data('programs'), program)] + list(arguments)
    with open(os.devnull) as nothing:
        process = subprocess.Popen(command, stdin=nothing, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
    said = process.communicate()[0].decode('utf-8', 'replace')
    print(said)
    case.equal(process.returncode, 0, '%s: %s' % (program, ' | '.join(said.splitlines()[-5:])))
    return said


def add_model(case):
    return os.path.join(case.data('tensorflow'), 'add.bin')


def test_shared(case):
    """A C program linked by CMake's package file with the shared library."""
    run(case, 'by_cmake', add_model(case), NET)


def test_static(case):
    """The same program linked by pkg-config's file with the static library."""
    run(case, 'by_pkg_config', add_model(case), NET)


def test_benchmark(case):
    """benchmark_model measures a net on XNNPACK, and tells of its operators."""
    said = run(case, 'benchmark_model', '--graph=' + NET, '--num_runs=2', '--warmup_runs=1',
               '--max_secs=60', '--num_threads=1', '--use_xnnpack=true',
               '--enable_op_profiling=true')
    case.check(re.search(r'Inference \(avg\): \d', said), 'no time of an inference')
    case.check('Explicitly applied XNNPACK delegate' in said, 'XNNPACK is not used')
    case.check('Operator-wise Profiling Info' in said, 'no profile')
