# ruff: noqa
"""Writes small models of TensorFlow Lite on the board itself: flatbuffers without their library.

Valid Python 2.7 and 3.4 to 3.15. Numbers of tables' fields, of operators and of their options are
those of TensorFlow Lite's schema.fbs (version 3): the schema promises never to change them.
"""

import struct

import numpy as np

TYPES = {"f4": 0, "f2": 1, "i4": 2, "u1": 3, "i8": 4, "b1": 6, "i2": 7, "i1": 9}
#: Two of these are packed into a byte, or four: numpy has none.
PACKED = {"int4": (17, 2), "int2": (19, 4)}
#: The number of all operators that have a name instead.
CUSTOM = 32
SIZES = {"b": 1, "B": 1, "i": 4, "I": 4, "f": 4, "q": 8}


class Table(object):
    """{field number: (kind, value)}; the kind `ref` stands for another object."""

    def __init__(self, fields):
        self.fields = fields

    def write(self, out):
        """Appends itself; returns where it is, and [(where a reference is, what it refers to)]."""
        slots = max(self.fields) + 1 if self.fields else 0
        order = sorted(self.fields, key=lambda slot: (-SIZES.get(self.fields[slot][0], 4), slot))
        offsets, size = [0] * slots, 4
        for slot in order:
            offsets[slot] = size
            size += SIZES.get(self.fields[slot][0], 4)
        align(out, 2)
        table = 4 + 2 * slots
        # Numbers of eight bytes come first, right after the reference to the vtable.
        wide = any(SIZES.get(kind, 4) == 8 for kind, _ in self.fields.values())
        while (len(out) + table) % (8 if wide else 4) != (4 if wide else 0):
            out += b"\0"
        vtable = len(out)
        out += struct.pack("<%dH" % (2 + slots), table, size, *offsets)
        where = len(out)
        out += struct.pack("<i", where - vtable)
        references = []
        for slot in order:
            kind, value = self.fields[slot]
            if kind == "ref":
                references.append((len(out), value))
                kind, value = "I", 0
            out += struct.pack("<" + kind, value)
        return where, references


class Vector(object):
    """Numbers of one kind, or (`ref`) other objects."""

    def __init__(self, kind, values):
        self.kind, self.values = kind, list(values)

    def write(self, out):
        align(out, 4)
        while self.kind == "q" and len(out) % 8 != 4:
            out += b"\0"
        where = len(out)
        out += struct.pack("<I", len(self.values))
        references = []
        for value in self.values:
            if self.kind == "ref":
                references.append((len(out), value))
                out += struct.pack("<I", 0)
            else:
                out += struct.pack("<" + self.kind, value)
        return where, references


class Bytes(object):
    """Raw bytes, at a multiple of 16; or text, with its end marked."""

    def __init__(self, data, end=b""):
        self.data, self.end = data, end

    def write(self, out):
        align(out, 4)
        while not self.end and len(out) % 16 != 12:
            out += b"\0"
        where = len(out)
        out += struct.pack("<I", len(self.data)) + self.data + self.end
        return where, []


def align(out, size):
    while len(out) % size:
        out += b"\0"


def text(value):
    return "ref", Bytes(value.encode("ascii"), b"\0")


def ints(values):
    return "ref", Vector("i", [int(value) for value in values])


def flatbuffer(root, identifier):
    """The bytes of an object and all that it refers to."""
    out = bytearray(4) + identifier
    todo = [(0, root)]
    while todo:
        reference, item = todo.pop()
        where, references = item.write(out)
        struct.pack_into("<I", out, reference, where - reference)
        todo += references
    return bytes(out)


def plain(data, kind):
    """The bytes of numbers."""
    return np.ascontiguousarray(data.astype("<" + kind)).tobytes()


def packed(data, in_a_byte):
    """The bytes of small numbers, the first in the lowest bits."""
    bits = 8 // in_a_byte
    numbers = [int(number) & (2**bits - 1) for number in data.ravel()]
    out = bytearray((len(numbers) + in_a_byte - 1) // in_a_byte)
    for place, number in enumerate(numbers):
        out[place // in_a_byte] |= number << bits * (place % in_a_byte)
    return bytes(out)


class Net(object):
    """A model of one subgraph, operator by operator; or a subgraph `of` another's model."""

    def __init__(self, of=None):
        self.buffers = of.buffers if of else [Table({})]  # the first is empty by convention
        self.codes = of.codes if of else []
        self.tensors, self.operators = [], []
        self.shapes = []

    def tensor(self, shape, kind, data=None, quantization=None):
        """Adds a tensor and returns its number.

        `kind` is numpy's; `data` makes it a constant; `quantization` is (scales, zero points,
        dimension).
        """
        number, in_a_byte = PACKED.get(kind) or (TYPES[kind], 0)
        fields = {
            0: ints(shape),
            1: ("b", number),
            2: ("I", 0),
            3: text("t%d" % len(self.tensors)),
        }
        if data is not None:
            raw = packed(data, in_a_byte) if in_a_byte else plain(data, kind)
            fields[2] = ("I", len(self.buffers))
            self.buffers.append(Table({0: ("ref", Bytes(raw))}))
        if quantization is not None:
            scales, zeros, dimension = quantization
            fields[4] = (
                "ref",
                Table(
                    {
                        2: ("ref", Vector("f", [float(scale) for scale in scales])),
                        3: ("ref", Vector("q", [int(zero) for zero in zeros])),
                        6: ("i", dimension),
                    }
                ),
            )
        self.tensors.append(Table(fields))
        self.shapes.append(tuple(shape))
        return len(self.tensors) - 1

    def operator(self, code, version, inputs, output, options_type=0, options=None, second=False):
        """Adds an operator; `options` are the fields of its table, `options_type` its number.

        `output` is one, or a list; `second`: the options are of the schema's second list.
        """
        outputs = output if isinstance(output, list) else [output]
        self.codes.append(Table({0: ("b", min(code, 127)), 2: ("i", version), 3: ("i", code)}))
        fields = {0: ("I", len(self.codes) - 1), 1: ints(inputs), 2: ints(outputs)}
        if options_type:
            kind, table = (11, 12) if second else (3, 4)
            fields[kind] = ("B", options_type)
            fields[table] = ("ref", Table(options or {}))
        self.operators.append(Table(fields))

    def custom(self, name, options, inputs, outputs):
        """Adds an operator that the schema has no number for; `options` are its bytes."""
        self.codes.append(Table({0: ("b", CUSTOM), 1: text(name), 2: ("i", 1), 3: ("i", CUSTOM)}))
        fields = {0: ("I", len(self.codes) - 1), 1: ints(inputs), 2: ints(outputs)}
        if options:
            fields[5] = ("ref", Vector("B", bytearray(options)))
        self.operators.append(Table(fields))

    def graph(self, inputs, outputs, name="main"):
        """The subgraph."""
        return Table(
            {
                0: ("ref", Vector("ref", self.tensors)),
                1: ints(inputs),
                2: ints(outputs),
                3: ("ref", Vector("ref", self.operators)),
                4: text(name),
            }
        )

    def model(self, inputs, outputs, others=()):
        """The bytes of the model; `others` are its further subgraphs."""
        return flatbuffer(
            Table(
                {
                    0: ("I", 3),
                    1: ("ref", Vector("ref", self.codes)),
                    2: ("ref", Vector("ref", [self.graph(inputs, outputs)] + list(others))),
                    3: text("crosspi"),
                    4: ("ref", Vector("ref", self.buffers)),
                }
            ),
            b"TFL3",
        )
