# Old Python on purpose, without annotations.
# mypy: ignore-errors
"""Runs one model on a board that counts: each part of it between two marks of the emulator's.

    python benchmark.py MODEL TURNS [NAME=1,2,3 ...]

It imports nothing of crosspi. The marks: 0 begins; 1: the module is imported; 2: the model is
loaded, its tensors have memory and its inputs are filled; 3: the first inference; from 4 on each
further one; 100 and 101 follow each other. What is wrong with a model is one line on standard
output, after REFUSED.
"""

import os
import sys

MARK = 0x43500000
REFUSED = "refused: "


def mark(number):
    try:
        os.getpgid(MARK + number)
    except OSError:
        pass


def refuse(text):
    sys.stdout.write(REFUSED + " ".join(str(text).split()) + "\n")
    sys.exit(4)


def shapes(words):
    """The shapes that were asked for, by the input's name."""
    return {
        name: [int(part) for part in shape.split(",")]
        for name, _, shape in (word.rpartition("=") for word in words)
    }


def seeded(random, numpy, detail):
    """What goes into an input: of its kind, the same each time."""
    kind = numpy.dtype(detail["dtype"])
    shape = tuple(detail["shape"])
    if kind.kind == "f":
        return random.uniform(-1, 1, shape).astype(kind)
    if kind.kind == "b":
        return random.randint(0, 2, shape).astype(kind)
    if kind.kind in "iu":
        # Small ones: an index, of words and rows, is within any table.
        low, high = (-128, 128) if kind == numpy.int8 else (0, 256 if kind.itemsize == 1 else 2)
        return random.randint(low, high, shape).astype(kind)
    return refuse("the input '%s' is of %s: no input can be made up" % (detail["name"], kind.name))


def main(arguments):
    model, turns, asked = arguments[0], int(arguments[1]), shapes(arguments[2:])
    mark(0)
    try:
        import numpy
        import numpy.random  # some numpys import it when it is first used
        from tflite_runtime.interpreter import Interpreter
    except ImportError as error:
        refuse("tflite_runtime cannot be imported: %s" % error)
    mark(1)
    try:
        interpreter = Interpreter(model, num_threads=1)
        details = interpreter.get_input_details()
        unknown = sorted(set(asked) - set(detail["name"] for detail in details))
        if unknown:
            names = ", ".join(detail["name"] for detail in details)
            refuse("it has no input '%s'; its inputs: %s" % (unknown[0], names))
        for detail in details:
            if detail["name"] in asked:
                interpreter.resize_tensor_input(detail["index"], asked[detail["name"]])
            elif -1 in list(detail.get("shape_signature", detail["shape"])):
                refuse("the input '%s' has no fixed shape" % detail["name"])
        interpreter.allocate_tensors()
        random = numpy.random.RandomState(1)
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], seeded(random, numpy, detail))
        mark(100)  # what a mark itself takes
        mark(101)
        mark(2)
        for turn in range(turns):
            interpreter.invoke()
            mark(3 + turn)
    except (ValueError, RuntimeError, SystemError) as error:
        # A module that was compiled for another numpy says so by what lies below.
        refuse(error.__cause__ or error)


if __name__ == "__main__":
    main(sys.argv[1:])
