# ruff: noqa
"""Smoke tests: hundreds of models of one operator each, and whose kernels they ran.

Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import os
import signal
import subprocess
import sys

import comparing
import models
from checking import model_path


def test_generated_conv(case):
    """CONV_2D of odd shapes: the three kinds of kernels agree."""
    comparing.check(case, "conv")


def test_generated_depthwise(case):
    """DEPTHWISE_CONV_2D of odd shapes: the three kinds of kernels agree."""
    comparing.check(case, "depthwise")


def test_generated_transposed(case):
    """TRANSPOSE_CONV of odd shapes: the three kinds of kernels agree."""
    comparing.check(case, "transposed")


def test_generated_connected(case):
    """FULLY_CONNECTED of odd shapes: the three kinds of kernels agree."""
    comparing.check(case, "connected")


def test_generated_pooling(case):
    """MAX_POOL_2D, AVERAGE_POOL_2D and MEAN of odd shapes: the three kinds of kernels agree."""
    comparing.check(case, "maxpool", "averagepool", "mean")


def test_generated_binary(case):
    """ADD, SUB and MUL, with shapes that are stretched: the three kinds of kernels agree."""
    comparing.check(case, "add", "sub", "mul")


def test_generated_unary(case):
    """LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU and SOFTMAX: the three kinds of kernels agree."""
    comparing.check(case, "logistic", "tanh", "hardswish", "leakyrelu", "softmax")


def test_kernels_are_the_boards_own(case):
    """Where qemu plays a newer board, XNNPACK takes kernels that a Cortex-A7 does not know.

    On the other boards qemu plays exactly their processor, and these kernels would trap in each
    test: nothing else is to be shown there.
    """
    board = os.environ.get("QEMU_CPU", "")
    if board.split(",")[0] != "max":
        case.skip("the processor of this very board is emulated")
    script = (
        "import models; from tflite_runtime.interpreter import Interpreter; "
        "i = Interpreter(%r); i.allocate_tensors(); "
        "models.run(i, models.BY_NAME['convnet_int8'].inputs())" % model_path(case, "convnet_int8")
    )
    ends = {}
    # As the same processor by its identification, which is what the choice is made by.
    older = board.replace("max", "cortex-a7")
    for cpu in (board, older):
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=models.HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, QEMU_CPU=cpu),
        )
        printed = process.communicate()[0].decode("utf-8", "replace")
        ends[cpu] = process.returncode
        case.note("printed under " + cpu, printed[-300:])
    case.equal(ends[board], 0, "exit code under max")
    case.equal(ends[older], -signal.SIGILL, "exit code under cortex-a7")
