"""A chart of what was measured, as SVG: a group of bars for each model, a colour for each wheel."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from crosspi.bench.measuring import Row

#: Told apart also by those who see few colours (Okabe and Ito).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 760, 130, 110, 16, 14, 34


def millions(count: int) -> str:
    """A count as people read it: three digits of millions."""
    return f"{count / 1e6:.3g}" if count < 1e9 else f"{count / 1e6:.0f}"


def chart(rows: Sequence[Row], title: str) -> str:
    """Instructions per inference. Each model's longest bar is as long as another's."""
    wheels = list(dict.fromkeys(row.wheel.name for row in rows))
    names = list(dict.fromkeys(row.model.stem for row in rows))
    colour = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(wheels)}
    parts: list[str] = []
    y = _TOP
    for n, name in enumerate(wheels):
        x = 10 + n * (_WIDTH - 20) // len(wheels)
        parts.append(_box(x, y, 12, 12, colour[name]) + _text(x + 18, y + 11, name))
    y += 30
    for model in names:
        mine = [row for row in rows if row.model.stem == model]
        longest = max(1, *(row.one for row in mine))
        parts.append(_text(_LEFT - 8, y + 12, model, anchor="end"))
        for row in mine:
            width = round((_WIDTH - _LEFT - _RIGHT) * max(0, row.one) / longest, 1)
            parts.append(_box(_LEFT, y, width, _BAR - 2, colour[row.wheel.name]))
            parts.append(_text(_LEFT + width + 6, y + 12, f"{millions(row.one)} M"))
            y += _BAR
        y += _GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" '
        f'viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="12">'
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="#ffffff"/>'
    )
    return "\n".join([head, _text(10, 20, title, size=14), *parts, "</svg>", ""])


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}>{escape(text)}</text>"
