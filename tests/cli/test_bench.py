"""The words of `bench`: which board, which wheels, and what is shown of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crosspi.bench.contenders import Contender
from crosspi.bench.measuring import Row
from crosspi.cli import bench as command
from crosspi.cli.bench import Wanted, bench
from crosspi.cli.options import Options


def failing(options: Options, wanted: Wanted, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of words that make no sense."""
    with pytest.raises(SystemExit) as caught:
        bench(options, wanted)
    assert caught.value.code in (2, 16)
    return capsys.readouterr().err


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSPI_CACHE", str(tmp_path / "cache"))


PI3 = Options(target=("pi3",), python=("3.11",))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(), "for which board?"),
        (Options(target=("pi3",)), "one board and one Python"),
        (Options(target=("pi3", "pi-zero"), python=("3.11",)), "one board and one Python"),
        (Options(target=("pi3",), python=("3.11", "3.13")), "one board and one Python"),
        (Options(target=("pi9",), python=("3.11",)), "pi9"),
    ],
)
def test_one_board_and_one_python(
    options: Options, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in failing(options, Wanted(), capsys)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(models=("no.tflite",)), "no such model"),
        (Wanted(models=(__file__,)), "not a model of TensorFlow Lite's"),
        (Wanted(shapes=("a=1",)), "of which model"),
    ],
)
def test_models_are_looked_at_before_anything_is_built(
    wanted: Wanted, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in failing(PI3, wanted, capsys)


def test_the_board_of_a_name_else_the_oldest() -> None:
    from crosspi.data.targets import Targets

    toolchain = Targets.load(Path(__file__).parents[2] / "toolchains").toolchain("pi3")
    assert command.board_of(toolchain, "pi3").name == "pi3"
    assert command.board_of(toolchain, "armv7").name == "pi2"


def test_the_json_has_the_hashes_of_what_was_measured(tmp_path: Path) -> None:
    from crosspi.data.targets import Cell, Targets

    targets = Targets.load(Path(__file__).parents[2] / "toolchains")
    cell = Cell(targets.toolchain("pi3"), targets.python("3.11"))
    model = tmp_path / "m.tflite"
    model.write_bytes(b"x")
    wheel = Contender("ours", "w.whl", "1" * 64, tmp_path)
    row = Row(wheel, model, start=4, load=3, first=2, one=1)
    data = json.loads(json.dumps(command.as_json([row], cell, cell.toolchain.oldest, wheel)))
    (count,) = data["counts"]
    assert (count["wheel"], count["sha256"], count["one"]) == ("w.whl", "1" * 64, 1)
    assert (data["board"], data["cell"]) == ("pi2", "cp311-armv7")
