# ruff: noqa
"""Models that crashed or hung in a published wheel: one for each fault, so that it stays away.

Their numbers come from TensorFlow Lite's reference kernels on the same board. Valid Python 2.7 and
3.4 to 3.15.
"""

import os

import numpy as np
from tflite_runtime.interpreter import Interpreter, OpResolverType

import models


def check(case, filename, atol):
    """XNNPACK takes the whole model and answers what the other kernels answer."""
    path = os.path.join(models.HERE, filename)
    answers = {}
    for resolver in (
        OpResolverType.AUTO,
        OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        OpResolverType.BUILTIN_REF,
    ):
        interpreter = Interpreter(path, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        if resolver is OpResolverType.AUTO:
            ops = [op["op_name"] for op in interpreter._get_ops_details()]
            case.check("DELEGATE" in ops, "XNNPACK took no node: %s" % ops)
        detail = interpreter.get_input_details()[0]
        inputs = models.pattern(tuple(detail["shape"]), 7, 97, 1.0, detail["dtype"])
        # Twice: a kernel that reads too far may do so into what the first run left.
        first = models.run(interpreter, [inputs])[0].astype("f8")
        again = models.run(interpreter, [inputs])[0].astype("f8")
        case.equal(first, again.tolist(), "the same again, %s" % resolver.name)
        answers[resolver.name] = first
    wanted = answers["BUILTIN_REF"]
    case.check(len(np.unique(wanted)) > 3, "an answer without content: %s" % wanted)
    for name, answer in sorted(answers.items()):
        case.note(
            "difference_" + name.lower(),
            case.close(
                answer, wanted, rtol=1e-5, atol=atol, what="%s against the reference" % name
            ),
        )
