"""
Bars with their quartiles, as SVG: in the reader's light or dark colours, in a font that
every machine has, and the same bytes for the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
LEFT, RIGHT, TOP, ROW = 200, 130, 64, 26

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.soft { fill: #57606a; font-size: 12px }
.bar { fill: #8c96a3 }
.ours { fill: #2f6fd6 }
.whisker { stroke: #24292f; stroke-width: 1.5 }
.mark { stroke: #57606a; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .soft { fill: #9aa4af }
  .bar { fill: #6b7683 }
  .ours { fill: #5b9bf8 }
  .whisker { stroke: #e6edf3 }
  .mark { stroke: #9aa4af }
}
"""


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    median: float
    low: float
    high: float
    # What is written behind it.
    value: str
    is_ours: bool = False


def bars(title: str, subtitle: str, rows: Sequence[Bar], mark: float | None) -> str:
    """Draw ``rows``, with a line at ``mark`` to compare them to."""
    most = max([bar.high for bar in rows] + ([mark] if mark else []))
    height = TOP + ROW * len(rows) + 12

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * value / most, 1)

    drawn = []
    for number, bar in enumerate(rows):
        top = TOP + ROW * number
        middle = top + ROW / 2
        kind = "ours" if bar.is_ours else "bar"
        drawn += [
            (
                f'<text x="{LEFT - 10}" y="{middle + 4}" text-anchor="end">'
                f"{escape(bar.label)}</text>"
            ),
            (
                f'<rect class="{kind}" x="{LEFT}" y="{top + 4}" height="{ROW - 8}"'
                f' width="{round(x(bar.median) - LEFT, 1)}" rx="2"/>'
            ),
            (
                f'<line class="whisker" x1="{x(bar.low)}" x2="{x(bar.high)}"'
                f' y1="{middle}" y2="{middle}"/>'
            ),
            (
                f'<text x="{x(max(bar.high, bar.median)) + 8}" y="{middle + 4}">'
                f"{escape(bar.value)}</text>"
            ),
        ]
    if mark is not None:
        drawn.append(
            f'<line class="mark" x1="{x(mark)}" x2="{x(mark)}" y1="{TOP - 6}"'
            f' y2="{height - 8}"/>'
        )
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}"'
                f' height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">'
            ),
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<text class="title" x="8" y="22">{escape(title)}</text>',
            f'<text class="soft" x="8" y="42">{escape(subtitle)}</text>',
            *drawn,
            "</svg>\n",
        ]
    )
