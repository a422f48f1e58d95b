# ruff: noqa
"""Which cases the generator makes: the shapes that kernels get wrong, and seeded others.

Valid Python 2.7 and 3.4 to 3.15.
"""

from __future__ import division, print_function

import zlib

import numpy as np

SEED = 20140917
#: float16: weights in float16, made float32 by a DEQUANTIZE; int8: weights quantized by channel, as
#: today's converter writes them; int8-tensor and uint8: by tensor.
WEIGHTED = ("float32", "float16", "int8", "int8-tensor", "uint8")
PLAIN = ("float32", "int8", "uint8")
ACTIVATIONS = {"none": 0, "relu": 1, "relu1": 2, "relu6": 3}
#: How many seeded cases an operator and kind have beside the written ones.
RANDOM = {"default": 6, "full": 60}

#: What TensorFlow Lite's delegate leaves to the built-in kernels, by its own rules.
LEFT = {
    "averagepool": ("int8", "uint8"),
    "softmax": ("int8", "uint8"),
    "hardswish": ("int8", "uint8"),
    "transposed": ("int8",),  # weights by channel
    "connected": ("int8",),
}

#: Left out: TensorFlow Lite 2.14's own built-in kernel divides by zero there, on every machine (the
#: official wheels for x86-64 and armv7 die of SIGFPE); LiteRT has it mended.
DIVIDES_BY_ZERO = [("depthwise", "int8"), ("depthwise", "int8-tensor")]

#: Operators of two inputs.
PAIRED = ("add", "sub", "mul")


class Spec(object):
    """What a case is made of, as its name says it."""

    def __init__(self, operator, kind, shape, act="none", **more):
        self.operator, self.kind, self.shape, self.act = operator, kind, tuple(shape), act
        self.more = more
        self.kernel = more.get("k", (1, 1))
        self.stride = more.get("s", (1, 1))
        self.dilation = more.get("d", (1, 1))
        self.padding = more.get("padding", "valid")
        self.out = more.get("o", 1)

    @property
    def name(self):
        parts = [self.operator, self.kind, by(self.shape)]
        for key in ("with", "k", "o", "m", "s", "d"):
            if key in self.more:
                value = self.more[key]
                parts.append(key + (by(value) if isinstance(value, tuple) else str(value)))
        if "padding" in self.more:
            parts.append(self.padding)
        return "-".join(parts + [self.act])

    @property
    def delegated(self):
        """Whether XNNPACK must take it; None for an empty tensor, where either will do.

        Weights by channel of one channel are weights by tensor.
        """
        if 0 in self.shape:
            return None
        by_tensor = self.kind == "int8" and self.more.get("o") == 1
        return by_tensor or self.kind not in LEFT.get(self.operator, ())


def by(shape):
    return "x".join(str(size) for size in shape) or "scalar"


ONE, TWO, THREE, FIVE = (1, 1), (2, 2), (3, 3), (5, 5)

#: (shape, kernel, outputs or multiplier, stride, dilation, padding): what was wrong once, and its
#: relatives. One pixel of output under a larger filter (all streaming wake-word models), one
#: channel, prime sizes, filters of 25 taps and of more, batch 2, nothing at all.
CONV = [
    ((1, 5, 1, 40), (5, 1), 32, ONE, ONE, "valid"),
    ((1, 3, 3, 7), THREE, 5, ONE, ONE, "valid"),
    ((1, 1, 1, 1), ONE, 1, ONE, ONE, "valid"),
    ((1, 1, 1, 16), THREE, 16, ONE, ONE, "same"),
    ((2, 7, 5, 1), THREE, 3, ONE, ONE, "same"),
    ((1, 8, 8, 4), FIVE, 8, TWO, ONE, "same"),
    ((1, 11, 13, 3), THREE, 17, (2, 1), ONE, "same"),
    ((1, 9, 9, 5), THREE, 6, ONE, TWO, "same"),
    ((1, 10, 7, 3), (2, 4), 4, ONE, ONE, "valid"),
    ((1, 6, 6, 16), ONE, 16, TWO, ONE, "valid"),
    ((1, 6, 6, 16), ONE, 16, TWO, ONE, "same"),
    ((1, 13, 1, 8), (3, 1), 24, ONE, ONE, "same"),
    ((1, 4, 4, 32), THREE, 1, ONE, ONE, "same"),
    ((2, 5, 5, 64), ONE, 33, ONE, ONE, "valid"),
    ((0, 4, 4, 3), THREE, 4, ONE, ONE, "same"),
]
DEPTHWISE = [
    ((1, 8, 8, 8), FIVE, 1, ONE, ONE, "same"),
    ((1, 8, 8, 8), THREE, 1, ONE, ONE, "same"),
    ((1, 5, 5, 3), FIVE, 1, ONE, ONE, "valid"),
    ((1, 3, 3, 24), THREE, 1, ONE, ONE, "valid"),
    ((1, 9, 7, 17), FIVE, 1, TWO, ONE, "same"),
    ((2, 9, 7, 17), THREE, 1, TWO, ONE, "same"),
    ((1, 11, 11, 5), (7, 7), 1, ONE, ONE, "same"),
    ((1, 26, 3, 4), (25, 1), 1, ONE, ONE, "valid"),
    ((1, 7, 7, 1), THREE, 1, ONE, ONE, "same"),
    ((1, 6, 6, 3), THREE, 2, ONE, ONE, "same"),
    ((1, 9, 9, 8), THREE, 1, ONE, TWO, "same"),
    ((1, 5, 4, 16), (2, 2), 1, ONE, ONE, "valid"),
    ((1, 4, 1, 12), (4, 1), 1, ONE, ONE, "valid"),
    ((1, 1, 1, 1), ONE, 1, ONE, ONE, "valid"),
    ((0, 4, 4, 3), THREE, 1, ONE, ONE, "same"),
]
TRANSPOSED = [
    ((1, 4, 4, 8), THREE, 5, TWO, ONE, "same"),
    ((1, 3, 5, 7), TWO, 3, TWO, ONE, "valid"),
    ((1, 3, 3, 4), (4, 4), 6, TWO, ONE, "same"),
    ((2, 5, 3, 3), FIVE, 2, ONE, ONE, "same"),
    ((1, 1, 1, 16), THREE, 8, ONE, ONE, "valid"),
    ((1, 1, 1, 1), ONE, 1, ONE, ONE, "valid"),
    ((1, 7, 1, 5), (3, 1), 9, (2, 1), ONE, "same"),
    ((1, 4, 3, 1), THREE, 1, (3, 3), ONE, "valid"),
]
CONNECTED = [
    ((1, 1), 1),
    ((1, 40), 33),
    ((2, 7), 5),
    ((1, 64), 8),
    ((3, 17), 1),
    ((5, 1), 13),
    ((16, 31), 12),
    ((0, 4), 3),
]
POOLED = [
    ((1, 4, 4, 8), TWO, TWO, "valid"),
    ((1, 1, 1, 1), ONE, ONE, "valid"),
    ((1, 7, 7, 17), (7, 7), ONE, "valid"),
    ((2, 9, 5, 3), THREE, TWO, "same"),
    ((1, 11, 3, 1), (3, 2), ONE, "same"),
    ((1, 13, 13, 5), FIVE, (3, 3), "same"),
    ((1, 6, 1, 24), (4, 1), (2, 1), "valid"),
    ((0, 4, 4, 3), TWO, TWO, "valid"),
]
MEAN = [(1, 7, 7, 17), (2, 4, 4, 8), (1, 1, 1, 1), (1, 3, 5, 1), (1, 13, 1, 64)]
PAIRS = [
    ((1, 7, 5, 3), (1, 7, 5, 3)),
    ((1, 1), (1, 1)),
    ((2, 4, 4, 8), (8,)),
    ((1, 13), (1, 1)),
    ((1, 1, 1, 6), (1, 3, 5, 6)),
    ((2, 127), (2, 127)),
    ((1, 3, 1, 5), (1, 1, 4, 5)),
    ((0, 4), (0, 4)),
]
SHAPES = [(1, 256), (1, 1), (2, 7), (1, 5, 3, 17), (3, 33)]


def cycle(values, number):
    return values[number % len(values)]


def rolling(seed):
    """A function that gives whole numbers from its first argument on, below the second one."""
    random = np.random.RandomState(seed)
    return lambda low, high=None: int(random.randint(low, high, dtype="i4"))


def windows(operator, kind, table, dice, count, third):
    """Cases of a window that moves over an image: those of the table, and seeded ones."""
    rows = [row for row in table if row[0][0] or (operator, kind) not in DIVIDES_BY_ZERO]
    for _ in range(count):
        kernel = (dice(1, 6), dice(1, 6))
        shape = (
            dice(1, 3),
            dice(kernel[0], 14),
            dice(kernel[1], 14),
            cycle((1, 2, 3, 5, 8, 13, 16, 24), dice(8)),
        )
        stride = (dice(1, 3), dice(1, 3))
        if operator == "transposed":
            shape = shape[:1] + (dice(1, 6), dice(1, 6)) + shape[3:]
            stride = tuple(min(pair) for pair in zip(stride, kernel))
        dilated = operator in ("conv", "depthwise") and dice(4) == 0
        outputs = 1 + dice(2) if operator == "depthwise" else dice(1, 20)
        rows.append(
            (
                shape,
                kernel,
                outputs,
                ONE if dilated else stride,
                TWO if dilated else ONE,
                "same" if dilated else cycle(("same", "valid"), dice(2)),
            )
        )
    for number, (shape, kernel, out, stride, dilation, padding) in enumerate(rows):
        act = cycle(("none", "relu", "relu6", "none", "relu1"), number)
        if operator == "transposed":
            act = "none"
        more = {"k": kernel, "s": stride, "d": dilation, "padding": padding, third: out}
        yield Spec(operator, kind, shape, act, **more)


def specs(operator, kind, level):
    """The cases of an operator and a kind, by name: the same for everybody."""
    dice = rolling(SEED + zlib.crc32((operator + kind).encode("ascii")) % 1000003)
    count = RANDOM[level]
    if operator == "conv":
        return windows(operator, kind, CONV, dice, count, "o")
    if operator == "depthwise":
        return windows(operator, kind, DEPTHWISE, dice, count, "m")
    if operator == "transposed":
        return windows(operator, kind, TRANSPOSED, dice, count, "o")
    if operator == "connected":
        rows = CONNECTED + [((dice(1, 9), dice(1, 70)), dice(1, 40)) for _ in range(count)]
        return [
            Spec(operator, kind, shape, cycle(("none", "relu", "relu6"), number), o=out)
            for number, (shape, out) in enumerate(rows)
        ]
    if operator in ("maxpool", "averagepool"):
        rows = list(POOLED)
        for _ in range(count):
            kernel = (dice(1, 5), dice(1, 5))
            shape = (dice(1, 3), dice(kernel[0], 12), dice(kernel[1], 12), dice(1, 20))
            stride = tuple(min(size, dice(1, 3)) for size in kernel)
            rows.append((shape, kernel, stride, cycle(("same", "valid"), dice(2))))
        return [
            Spec(
                operator,
                kind,
                shape,
                cycle(("none", "relu", "relu6"), number),
                k=kernel,
                s=stride,
                padding=padding,
            )
            for number, (shape, kernel, stride, padding) in enumerate(rows)
        ]
    if operator == "mean":
        more = [tuple(dice(1, 10) for _ in range(4)) for _ in range(count)]
        return [Spec(operator, kind, shape) for shape in MEAN + more]
    if operator in PAIRED:
        more = [(shape, shape) for shape in [(dice(1, 4), dice(1, 90)) for _ in range(count)]]
        return [
            Spec(operator, kind, first, cycle(("none", "relu"), number), **{"with": second})
            for number, (first, second) in enumerate(PAIRS + more)
        ]
    more = [(dice(1, 4), dice(1, 90)) for _ in range(count)]
    return [Spec(operator, kind, shape) for shape in SHAPES + more]
