# ruff: noqa
"""Smoke tests: models that today's converters write, which a runtime of 2023 refuses.

Valid Python 2.7 and 3.4 to 3.15. models_2026/ is made by make_models_2026.py.
"""

from __future__ import division, print_function

import io
import json
import os
import warnings

import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType

from comparing import NEWER

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models_2026")
#: Of the largest number: kernels may round quantized numbers otherwise than the reference does.
TOLERANCE = 0.02


def pattern(shape, dtype, number):
    """The input of a model, by its place among the inputs: a closed form, the same everywhere."""
    count = int(np.prod(shape))
    steps = np.arange(count, dtype="f8") + 7 * number
    if dtype in (np.bytes_, np.object_):
        return np.array([b"word %d" % i for i in range(count)], dtype=object).reshape(shape)
    if dtype == np.bool_:
        return (np.sin(steps) > 0).reshape(shape)
    if np.dtype(dtype).kind in "iu":
        return (steps % 29).astype(dtype).reshape(shape)
    return np.sin(0.7 * steps + 0.1).astype(dtype).reshape(shape)


def answers(path, reference=False):
    """What a model answers, as plain lists: by signature, by output."""
    options = {}
    if reference:
        options["experimental_op_resolver_type"] = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(model_path=str(path), **options)
    found = {}
    for name in sorted(interpreter.get_signature_list()):
        runner = interpreter.get_signature_runner(name)
        inputs = sorted(runner.get_input_details().items())
        given = dict(
            (key, pattern(detail["shape"], detail["dtype"], number))
            for number, (key, detail) in enumerate(inputs)
        )
        found[name] = dict((key, plain(value)) for key, value in runner(**given).items())
    return found


def plain(array):
    """An array as JSON has it."""
    if array.dtype.kind in "SO":
        return [item.decode("ascii") for item in array.ravel().tolist()]
    return [round(float(item), 6) for item in array.ravel().tolist()]


def flat(answer):
    """All numbers or words of an answer, in order."""
    if isinstance(answer, dict):
        answer = [answer[key] for key in sorted(answer)]
    if isinstance(answer, list):
        return [item for part in answer for item in flat(part)]
    return [answer]


with io.open(os.path.join(FOLDER, "expected.json"), encoding="utf-8") as _stream:
    _EXPECTED = json.load(_stream)
#: TensorFlow Lite 2.14 must say that it cannot run these, rather than answer nonsense.
REFUSED_BY_2_14 = {"dense_dynamic_range": "FULLY_CONNECTED", "pad_bool": "PAD"}


def _test(name):
    wanted = _EXPECTED["models"][name]
    path = os.path.join(FOLDER, name + ".tflite")

    def test(case):
        if NEWER:
            numbers, expected = flat(answers(path)), flat(wanted["answers"])
            if isinstance(expected[0], float):
                scale = max(abs(number) for number in expected)
                case.note("worst", case.close(numbers, expected, atol=TOLERANCE * scale, rtol=0))
            else:
                case.equal(numbers, expected, "answers")
        elif name in REFUSED_BY_2_14:
            case.raises(ValueError, answers, path, match=REFUSED_BY_2_14[name])
        else:
            case.skip("a model for newer runtimes")

    test.__doc__ = "A model of 2026, %s: %s." % (name, ", ".join(wanted["operators"]))
    return test


for _name in sorted(_EXPECTED["models"]):
    globals()["test_2026_" + _name] = _test(_name)


def test_the_name_of_today(case):
    """`from ai_edge_litert.interpreter import Interpreter` gives the same class, and no warning."""
    if not NEWER:
        case.skip("since 2.21")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from ai_edge_litert import interpreter

        case.check(interpreter.Interpreter is Interpreter, "another class")
        interpreter.Interpreter(os.path.join(FOLDER, "signatures.tflite"))
