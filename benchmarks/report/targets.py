"""What was aimed at, and whether it was hit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import FLOOR, OURS, PLAIN
from benchmarks.report.tables import Figure, find, milliseconds, table, times

Line = tuple[str, str, str, bool]

# Of the process's CPU time on a member's page, by engine; and statements more.
MEMBER = {"db": (0.95, 0), "cached_db": (1.12, 1), "cache": (1.12, 1)}
PUBLIC = 1.01
START_MS = 30
SIGN_IN_MS = 5
FLAT = 0.2


def _total(figure: Figure) -> int:
    return sum(figure["statements"].values())


def _member(figures: list[Figure]) -> Iterator[Line]:
    ours = [f for f in figures if f["contender"] == OURS.name and "error" not in f]
    for figure in ours:
        where = {key: figure[key] for key in ("database", "engine", "server")}
        plain = find(figures, **where, contender=PLAIN.name, page=figure["page"])
        floor = find(figures, **where, contender=FLOOR.name, page=figure["page"])
        if plain is None or figure["page"] == "visitor":
            continue
        is_member = figure["page"] == "member"
        most, more = MEMBER[figure["engine"]] if is_member else (PUBLIC, 0)
        found = _total(figure) - _total(plain)
        ratio = figure["cpu_ratio"]
        measured = f"+{found}, {times(ratio)}"
        if floor is not None:
            measured += f"; floor {times(floor['cpu_ratio'])}"
        yield (
            "{page} page, {database}, `{engine}`, {server}".format(**figure),
            f"+{more} statements, at most {most} x CPU",
            measured,
            found <= more and ratio["median"] <= most,
        )


def _start(starts: list[Figure]) -> Iterator[Line]:
    ours = find(starts, contender=OURS.name)
    if ours is not None:
        more = ours["more_ms"]
        target = f"at most {START_MS} ms more"
        yield "start-up", target, milliseconds(more), more["median"] <= START_MS


def _sign_in(figures: list[Figure]) -> Iterator[Line]:
    ours = [
        figure
        for figure in figures
        if figure["contender"] == OURS.name and figure.get("kind") == "displacing"
    ]
    for figure in ours:
        what, more = f"displacing, {figure['rows']:,} rows", figure["more_ms"]
        target = f"at most {SIGN_IN_MS} ms more"
        measured = f"{milliseconds(more)}; quiet {figure['quiet_more_ms']:.1f}"
        yield what, target, measured, more["median"] <= SIGN_IN_MS
        flat = figure["to_smallest"]
        if figure["rows"] > min(each["rows"] for each in ours):
            is_flat = abs(flat["median"] - 1) <= FLAT
            yield what, "within 20 % of the smallest", times(flat), is_flat


def markdown(cost: dict[str, Any] | None, signin: dict[str, Any] | None) -> str:
    lines: list[Line] = []
    if cost is not None:
        lines += _member(cost["figures"])
        lines += _start(cost["starts"])
    if signin is not None:
        lines += _sign_in(signin["figures"])
    return table(
        ["", "target", "measured", ""],
        [
            [what, target, measured, "hit" if is_hit else "**missed**"]
            for what, target, measured, is_hit in lines
        ],
    )
