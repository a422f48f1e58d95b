"""Instructions per inference, of each wheel and model: what the board's program marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from crosspi import guests
from crosspi.bench.contenders import Contender
from crosspi.bench.counting import Counter, Counts, ProgramError
from crosspi.errors import BenchError, EmulatorError
from crosspi.smoke.judging import GUEST_SIGNAL

#: What the guest says; it imports nothing of ours.
GUEST = Path(guests.__file__).parent / "benchmark.py"
_REFUSED, _REFUSAL = 4, "refused: "
_FIRST, _CALIBRATING = 3, (100, 101)
#: Inferences after the first one.
_MORE = 3


@dataclass(frozen=True)
class Row:
    """The instructions that a model takes by a wheel's runtime, in one thread.

    Attributes:
        wheel, model: what was measured.
        start: to import the module; numpy's import is the most of it.
        load: from the model's file to memory for its tensors, with its inputs filled.
        first: the first inference; some of the weights are packed then.
        one: each further inference, on average.
    """

    wheel: Contender
    model: Path
    start: int
    load: int
    first: int
    one: int


def measure(
    counter: Counter,
    wheel: Contender,
    model: Path,
    *,
    numpy: Contender,
    others: Sequence[Contender] = (),
    shapes: Sequence[str] = (),
) -> Row:
    """What a wheel makes of a model.

    Args:
        counter: the board.
        wheel, model: what is measured.
        numpy: what it computes with.
        others: what else it imports.
        shapes: of inputs that have none, `INPUT=1,2,3`.

    Raises:
        BenchError: the wheel's runtime refuses the model, or cannot be imported.
        EmulatorError: it crashed, or was not counted.
    """
    seen = {wheel.folder: "/wheels/0", numpy.folder: "/wheels/1"}
    seen |= {other.folder: f"/wheels/{n}" for n, other in enumerate(others, start=2)}
    try:
        counts = counter.count(
            [
                "/opt/crosspi/python/python",
                "/crosspi/benchmark.py",
                f"/models/{model.name}",
                str(1 + _MORE),
                *shapes,
            ],
            name=f"{model.stem} by {wheel.file}",
            mounts={GUEST: "/crosspi/benchmark.py", model: f"/models/{model.name}", **seen},
            environment={"PYTHONPATH": ":".join(seen.values()), "PYTHONNOUSERSITE": "1"},
        )
    except ProgramError as error:
        raise _refusal(error, wheel, model) or error from error
    return Row(wheel, model, *_parts(counts))


def _parts(counts: Counts) -> Iterator[int]:
    """Start, load, first and one, each less what the marks themselves take.

    Raises:
        EmulatorError: the program did not make its marks.
    """
    at = dict(counts.marks)
    turns = [at.get(number) for number in range(_FIRST + 1 + _MORE)]
    begun, ended = (at.get(number) for number in _CALIBRATING)
    if None in turns or begun is None or ended is None:
        raise EmulatorError(
            "the program on the board made other marks than it was asked for",
            why=f"it made {', '.join(str(number) for number, _ in counts.marks) or 'none'}",
            fix="the plugin and the program are of one checkout: run it again with `--force`",
        )
    mark = ended - begun
    start, load, first, *more = (
        later - earlier - mark for earlier, later in pairwise(t for t in turns if t is not None)
    )
    # The two marks that tell what one takes are made while the model is loaded.
    yield from (start, load - 2 * mark, first, round(sum(more) / len(more)))


def _refusal(error: ProgramError, wheel: Contender, model: Path) -> BenchError | None:
    """The words of the board's program, or of a signal that ended it; else None."""
    signals = [line for line in error.said if GUEST_SIGNAL in line]
    if signals and error.code is not None and error.code > 128:
        return BenchError(
            f"{wheel.name} crashed on {model.stem}",
            where=f"{wheel.file}, {model}",
            why=signals[-1],
            fix="TensorFlow Lite trusts a model's offsets: if the file was cut off or damaged, "
            "fetch it again; else it is a fault of this runtime",
        )
    said = [line for line in error.said if line.startswith(_REFUSAL)]
    if error.code != _REFUSED or not said:
        return None
    text = said[-1].removeprefix(_REFUSAL)
    return BenchError(
        f"{wheel.name} cannot measure {model.stem}",
        where=f"{wheel.file}, {model}",
        why=text,
        fix=_way_out(text),
    )


def _way_out(text: str) -> str:
    """What to do about a refusal, by its words: ours, or the runtime's."""
    older = "give all of them a numpy like the one that it was compiled for: --numpy FILE"
    ways = {
        "fixed shape": "say which: --model FILE --shape INPUT=1,2,3",
        "has no input": "name one of its inputs",
        "no input can be made up": "measure a model that takes numbers",
        "custom op": "the runtime has TensorFlow Lite's own ops only: convert without custom ones",
        "multiarray": older,
        "NumPy 1.x": older,
        "lite Flatbuffer": "the file is cut off or damaged: fetch it again",
        "valid Flatbuffer": "the file is cut off or damaged: fetch it again",
        "op for builtin": "the model is newer than this runtime: take a newer one",
    }
    return next((way for word, way in ways.items() if word in text), "take another model or wheel")
