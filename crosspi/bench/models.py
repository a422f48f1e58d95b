"""The models that are measured: those of `benchmarks/`, or the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crosspi.data.document import Document, Model
from crosspi.errors import BenchError, UsageError

_SUITE = "benchmarks.yaml"


class Suite(Model):
    """`benchmarks.yaml`: the recipe whose wheels are measured, and what they compute with."""

    recipe: str
    computes_with: str


def suite(folder: Path) -> Suite:
    """What the YAML file of a folder of models says. Raises DataError."""
    return Document.read(folder / _SUITE).model(Suite)


#: Where a TensorFlow Lite file says what it is, and how (FlatBuffers' file identifier).
_IDENTIFIER = (4, b"TFL3")


def models(folder: Path, words: Sequence[str]) -> list[Path]:
    """The model files of these words; without any, those of a folder.

    Raises:
        UsageError: two have one name, by which the table knows them; or there is none.
        BenchError: a file is not there, or is no model of TensorFlow Lite's.
    """
    found = [Path(word).absolute() for word in words] or sorted(folder.glob("*.tflite"))
    if not found:
        raise UsageError("there are no models", where=str(folder), fix="name one: --model FILE")
    for path in found:
        _check(path)
    names = [path.stem for path in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(
            f"two models are called {twice[0]}", where="--model", fix="give each a name of its own"
        )
    return found


def shapes(words: Sequence[str], chosen: Sequence[Path]) -> list[str]:
    """What --shape says, as the board's program takes it: `INPUT=1,2,3`.

    Raises:
        UsageError: it is not of that form, or it is not clear of which model.
    """
    if words and len(chosen) != 1:
        raise UsageError(
            "of which model is that shape?",
            where="--shape",
            fix="measure the models whose shapes you give one by one: --model FILE",
        )
    for word in words:
        name, _, shape = word.rpartition("=")
        sizes = shape.split(",")
        if not name or not all(size.isascii() and size.isdigit() and int(size) for size in sizes):
            raise UsageError(
                f"'{word}' is not the shape of an input",
                where="--shape",
                fix="for example: --shape input=1,224,224,3",
            )
    return list(words)


def _check(path: Path) -> None:
    if not path.is_file():
        raise BenchError("there is no such model", where=str(path), fix="name a .tflite file")
    offset, identifier = _IDENTIFIER
    with path.open("rb") as file:
        head = file.read(offset + len(identifier))
    if head[offset:] != identifier:
        raise BenchError(
            "that is not a model of TensorFlow Lite's",
            where=str(path),
            why="it is empty"
            if not head
            else "it lacks the mark TFL3 that all of them begin with"
            + (": it is a git-lfs pointer" if head == b"version " else ""),
            fix="convert it (tf.lite.TFLiteConverter), or fetch it again",
        )
