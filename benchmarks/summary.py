"""
Summarize the benchmarks: where this package costs less than others, and where more.

The summaries are computed from the tables in docs/explanation/benchmarks.md, which the
subjects and ``tests.finality`` write, so they cannot differ from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks import environments
from benchmarks.contenders import ENGINES, FIVE, MEASURED, OURS, PLAIN
from benchmarks.cost import PAGE
from benchmarks.figures import block, publish, table

README = environments.ROOT / "README.md"
BLOCK = "summary"
NAMES = [each.name for each in MEASURED if each is not FIVE]
OTHERS = [name for name in NAMES if name not in {PLAIN.name, OURS.name}]
SIGN_IN = "displacing, and a page"

Row = dict[str, str]


@dataclass(slots=True)
class Column:
    """One figure of every contender that has it. Less is better."""

    name: str
    spec: str = ".2f"
    values: dict[str, float] = field(default_factory=dict)

    def cell(self, name: str) -> str:
        return f"{self.values[name]:{self.spec}}" if name in self.values else ""

    @property
    def others(self) -> list[str]:
        """Return the other packages, with the smallest figure first."""
        found = [name for name in OTHERS if name in self.values]
        return sorted(found, key=self.values.__getitem__)

    @property
    def wins(self) -> bool:
        return self.values[OURS.name] < self.values[self.others[0]]


def rows(text: str, heading: str = "") -> list[Row]:
    """Return the rows of the first table below ``heading``, if there is one."""
    below = text.partition(f"### {heading}\n")[2] if heading else text
    found = re.search(r"^\|.*(?:\n\|.*)*", below, re.MULTILINE)
    lines = found[0].splitlines() if found else []
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    return [dict(zip(cells[0], line, strict=True)) for line in cells[2:]]


def median(cell: str) -> float | None:
    """Return the number at the beginning of a cell, or ``None`` for an error."""
    found = re.match(r"\d+(\.\d+)?", cell)
    return float(found[0]) if found else None


def columns() -> Iterator[Column]:
    """Yield what the page's tables say about this package and at least one other."""
    for column in _columns():
        if OURS.name in column.values and column.others:
            yield column


def _columns() -> Iterator[Column]:
    def medians(named: str, found: list[Row], column: str, spec: str) -> Column:
        numbers = {each[""]: median(each[column]) for each in found}
        known = {name: each for name, each in numbers.items() if each is not None}
        return Column(named, spec, known)

    cost = block(PAGE, "cost")
    for engine in ENGINES:
        found = rows(cost, f"postgresql, `{engine}`, WSGI")
        yield medians(f"page, `{engine}`", found, "member: CPU", ".2f")
    found = rows(block(PAGE, "instructions"), "WSGI")
    yield medians("public page", found, "public", ".3f")
    found = [
        each for each in rows(block(PAGE, "sign-in")) if each["sign-in"] == SIGN_IN
    ]
    counts = {
        each[""]: float(sum(map(int, re.findall(r"\d+", each["statements"]))))
        for each in found
    }
    yield Column("sign-in and a page: statements", ".0f", counts)
    yield medians("sign-in and a page: CPU", found, "CPU", ".2f")
    trials, back = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
    for each in rows(block(PAGE, "under-load")):
        trials[each[""]] += int(each["trials"])
        back[each[""]] += int(each["came back"].partition(" ")[0])
    shares = {name: back[name] / trials[name] for name in NAMES if trials[name]}
    yield Column("ended sessions that came back", ".0%", shares)
    most: dict[str, float] = {}
    for each in rows(block(PAGE, "at-once")):
        let_in = float(each["let in of 8"].rpartition("-")[2])
        most[each[""]] = max(let_in, most.get(each[""], 0))
    yield Column("let in of 8 that sign in at once, at most", ".0f", most)


def verdict(found: list[Column]) -> str:
    """Return two sentences: where this package wins, and where it does not."""
    won, lost = [], []
    for each in found:
        best = each.others[0]
        ours = f"{each.name} ({each.cell(OURS.name)}"
        if each.wins:
            won.append(f"{ours}, and at least {each.cell(best)} elsewhere)")
        else:
            lost.append(f"{ours}; {best}: {each.cell(best)})")
    return "\n\n".join(
        [
            f"**Lower than every other package:** {'; '.join(won) or 'nothing'}.",
            f"**Not lower:** {'; '.join(lost) or 'nothing'}.",
        ]
    )


def whole(found: list[Column]) -> str:
    """Return the table of every package."""
    lines = [[name, *(each.cell(name) for each in found)] for name in NAMES]
    head = table(["", *(each.name for each in found)], lines)
    return f"{verdict(found)}\n\n{head}"


def short(found: list[Column]) -> str:
    """Return the table of this package beside plain Django and all others."""
    lines = []
    for each in found:
        low, high = each.cell(each.others[0]), each.cell(each.others[-1])
        span = low if low == high else f"{low} to {high}"
        lines.append([each.name, each.cell(PLAIN.name), each.cell(OURS.name), span])
    head = table(["", "plain Django", "here", "other packages"], lines)
    return f"{head}\n\n{verdict(found)}"


def write() -> None:
    """Write the summaries into the documentation and the README."""
    found = list(columns())
    publish(PAGE, BLOCK, whole(found))
    publish(README, BLOCK, short(found))


if __name__ == "__main__":
    write()
