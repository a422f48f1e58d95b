# ruff: noqa
"""Runs generated cases by XNNPACK, by the built-in kernels and by the reference kernels; compares.

    python comparing.py [OPERATOR or NAME]... [full]

Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import sys

import numpy as np
import tflite_runtime
from tflite_runtime.interpreter import Interpreter, OpResolverType

import generator

NEWER = tuple(int(part) for part in tflite_runtime.__version__.split(".")[:2]) > (2, 14)
WITHOUT, REFERENCE = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, OpResolverType.BUILTIN_REF
#: One in so many cases runs with two and with four threads as well.
THREADED = 4


class Wrong(Exception):
    """The kernels do not agree, or others ran than were asked for."""


def answer(built, resolver=OpResolverType.AUTO, threads=1):
    """(the output, whether a delegate computed it)"""
    interpreter = Interpreter(
        model_content=built.content, num_threads=threads, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), built.inputs):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    output = interpreter.get_output_details()[0]["index"]
    taken = any(
        op["op_name"] == "DELEGATE" and output in [int(index) for index in op["outputs"]]
        for op in interpreter._get_ops_details()
    )
    return interpreter.get_tensor(output), taken


def difference(got, wanted):
    """The largest difference; infinite for another shape or type, or where a NaN is."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return float("inf")
    if not got.size:
        return 0.0
    worst = np.abs(got.astype("f8") - wanted.astype("f8")).max()
    return float(worst) if np.isfinite(worst) else float("inf")


class Row(object):
    """What an operator and a kind came to."""

    def __init__(self):
        self.cases = self.delegated = self.flat = 0
        self.worst = {"builtin": 0.0, "reference": 0.0, "threads": 0.0}

    def within(self, label, got, wanted, allowed):
        """Keeps the largest difference.

        Raises:
            Wrong: it is larger than allowed.
        """
        worst = difference(got, wanted)
        if not worst <= allowed:
            raise Wrong("%.3g from %s, allowed %.3g" % (worst, label, allowed))
        self.worst[label] = max(self.worst[label], worst)

    def plain(self):
        return dict(self.worst, cases=self.cases, delegated=self.delegated, flat=self.flat)


def compare(spec, row, threaded=False):
    """Runs one case into a row.

    Raises:
        Wrong: see there.
    """
    built = generator.build(spec)
    row.cases += 1
    usual, taken = answer(built)
    # What 2.14 leaves to the built-in kernels, newer ones may take.
    if spec.delegated is not None and taken != spec.delegated and not (taken and NEWER):
        raise Wrong("XNNPACK %s it" % ("took" if taken else "did not take"))
    row.delegated += taken
    # An output that is one number throughout tells little of the kernel.
    row.flat += usual.size > 3 and bool((usual == usual.ravel()[0]).all())
    for label, resolver in (("builtin", WITHOUT), ("reference", REFERENCE)):
        plain, other = answer(built, resolver)
        if other:
            raise Wrong("a delegate that nobody asked for took it")
        row.within(label, usual, plain, built.allowed)
    for threads in (2, 4) if threaded else ():
        row.within("threads", answer(built, threads=threads)[0], usual, built.allowed)


def check(case, *operators):
    """A smoke test: all cases of some operators; all that are wrong are told."""
    rows, wrong = {}, []
    specs = [spec for operator in operators for spec in generator.cases(operator, case.level)]
    for number, spec in enumerate(specs):
        case.step(spec.name)
        row = rows.setdefault("%s %s" % (spec.operator, spec.kind), Row())
        try:
            compare(spec, row, number % THREADED == 0)
        except (Wrong, RuntimeError, ValueError) as error:
            wrong.append("%s: %s" % (spec.name, error))
    for name, row in rows.items():
        case.note(name, row.plain())
    case.check(
        not wrong,
        "%d of %d cases are wrong; first: %s (alone: python smoke/comparing.py "
        "NAME)" % (len(wrong), sum(row.cases for row in rows.values()), "; ".join(wrong[:10])),
    )
    flat = sum(row.flat for row in rows.values())
    case.check(
        flat * 20 <= sum(row.cases for row in rows.values()),
        "%d cases answer one number throughout: they prove nothing" % flat,
    )


def main(words):
    level = "full" if "full" in words else "default"
    words = set(words) - set(["full"])
    code = 0
    for operator in generator.OPERATORS:
        rows = {}
        for spec in generator.cases(operator, level):
            if words and operator not in words and spec.name not in words:
                continue
            print(spec.name, end=": ")
            sys.stdout.flush()
            try:
                compare(spec, rows.setdefault(spec.kind, Row()), True)
                print("good")
            except (Wrong, RuntimeError, ValueError) as error:
                print(error)
                code = 1
        for kind, row in sorted(rows.items()):
            print("%-12s %-12s %s" % (operator, kind, sorted(row.plain().items())))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
