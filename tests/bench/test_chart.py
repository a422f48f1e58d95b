"""The chart: well-formed, and in proportion."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from crosspi.bench.chart import COLOURS, chart, millions
from crosspi.bench.contenders import Contender
from crosspi.bench.measuring import Row

SVG = "{http://www.w3.org/2000/svg}"


def row(wheel: str, model: str, one: int) -> Row:
    return Row(Contender(wheel, "x.whl", "0", Path()), Path(f"{model}.tflite"), 0, 0, 0, one)


def bars(text: str) -> list[tuple[str, float]]:
    """Colour and length of what is neither background nor a box of the legend."""
    boxes = ElementTree.fromstring(text).iter(f"{SVG}rect")
    return [
        (box.get("fill", ""), float(box.get("width", "")))
        for box in boxes
        if box.get("height") == "14"
    ]


def test_each_models_longest_bar_is_as_long() -> None:
    rows = [row("a", "m", 4), row("b", "m", 2), row("a", "n", 1000), row("b", "n", 500)]
    drawn = bars(chart(rows, "t"))
    assert [colour for colour, _ in drawn] == [*COLOURS[:2], *COLOURS[:2]]
    lengths = [length for _, length in drawn]
    assert lengths[0] == lengths[2] == 2 * lengths[1] == 2 * lengths[3]


def test_names_are_text_whatever_is_in_them() -> None:
    text = chart([row("a<b>&", 'm"<', 1)], "t & <u>")
    said = [element.text for element in ElementTree.fromstring(text).iter(f"{SVG}text")]
    assert {"a<b>&", 'm"<', "t & <u>"} <= set(said)


def test_nothing_counted_is_a_bar_of_no_length() -> None:
    assert bars(chart([row("a", "m", 0)], "t")) == [(COLOURS[0], 0.0)]


def test_counts_as_people_read_them() -> None:
    assert [millions(n) for n in (0, 29_100, 2_597_573, 1_306_194_648)] == [
        *("0", "0.0291", "2.6", "1306")
    ]
