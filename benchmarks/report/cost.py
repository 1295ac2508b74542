"""The cost of a page, and of a start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import OURS, PLAIN
from benchmarks.report.svg import Bar, bars
from benchmarks.report.tables import (
    Figure,
    find,
    measured_on,
    milliseconds,
    statements,
    table,
    times,
)

PLOTTED = {"database": "postgresql", "engine": "db", "server": "wsgi"}
SERVERS = {"wsgi": "WSGI, sync views", "asgi": "ASGI, async views"}


def plot(result: dict[str, Any]) -> str:
    """Draw the page that every package has to answer for."""
    figures = [
        figure
        for figure in result["figures"]
        if figure.get("page") == "member"
        and PLOTTED.items() <= figure.items()
        and figure["contender"] != "control"
    ]
    rows = [
        Bar(
            figure["contender"],
            **{key: figure["cpu_ratio"][key] for key in ("median", "low", "high")},
            value=f"{figure['cpu_ratio']['median']:.2f} ×",
            is_ours=figure["contender"].startswith(OURS.name),
        )
        for figure in sorted(figures, key=lambda each: each["cpu_ratio"]["median"])
    ]
    return bars(
        "CPU time of a page for people who are signed in",
        "times the same project without a package; PostgreSQL, db engine, WSGI;"
        " line: quartiles",
        rows,
        1,
    )


def markdown(result: dict[str, Any]) -> Iterator[str]:
    yield "## What a page costs"
    yield measured_on(result["machine"])
    yield (
        "Every figure is a ratio to the same page of the same project without any"
        " package, in the same round: the median and, in brackets, the quartiles of"
        f" {result['rounds']} rounds. `control` is plain once more: what its"
        " ratio is from 1 cannot be told apart. `floor` is an empty middleware and,"
        " outside `db`, one raw indexed read: the least that knowing can cost."
    )
    yield (
        "*Member*: a page that reads `request.user` of somebody who is signed in;"
        " *visitor*: the same, of nobody; *public*: a page that reads nothing, for a"
        " browser with a session cookie. *CPU* is the process's own; *wall* includes"
        " waiting for the database."
    )
    yield "![CPU time of a member's page](benchmarks/cost.svg)"
    wheres = dict.fromkeys(
        (figure["database"], figure["engine"], figure["server"])
        for figure in result["figures"]
    )
    for where in wheres:
        yield from _combination(result["figures"], *where)
    yield from _starts(result["starts"])


def _combination(
    figures: list[Figure], database: str, engine: str, server: str
) -> Iterator[str]:
    where = {"database": database, "engine": engine, "server": server}
    yield f"### {database}, `{engine}`, {SERVERS[server]}"
    here = [figure for figure in figures if where.items() <= figure.items()]
    rows = []
    for name in dict.fromkeys(figure["contender"] for figure in here):
        pages = {
            page: find(here, contender=name, page=page)
            for page in ("member", "visitor", "public")
        }
        member, visitor, public = pages.values()
        if member is None or visitor is None or public is None:
            [failed] = [f for f in here if f["contender"] == name and "error" in f]
            rows.append([name, f"does not run: `{failed['error']}`", *4 * [""]])
            continue
        rows.append(
            [
                name,
                statements(member["statements"]),
                times(member["cpu_ratio"]),
                times(member["wall_ratio"]),
                times(visitor["cpu_ratio"]),
                f"{times(public['cpu_ratio'])}, {statements(public['statements'])}",
            ]
        )
    yield table(
        [
            "",
            "member: statements",
            "member: CPU",
            "member: wall",
            "visitor: CPU",
            "public: CPU, statements",
        ],
        rows,
    )
    plain = find(here, contender=PLAIN.name, page="member")
    if plain is not None:
        cpu, wall = plain["cpu_us"]["median"], plain["wall_us"]["median"]
        yield f"Plain itself: {cpu:.0f} µs of CPU, {wall:.0f} µs of wall time."


def _starts(starts: list[Figure]) -> Iterator[str]:
    yield "### Start-up"
    yield (
        "CPU time of a fresh process until its handler and URLs are loaded, in"
        " milliseconds; and how much more than plain in the same round."
    )
    yield table(
        ["", "ms", "more"],
        [
            [each["contender"], f"does not start: `{each['error']}`", ""]
            if "error" in each
            else [
                each["contender"],
                milliseconds(each["ms"]),
                milliseconds(each["more_ms"]),
            ]
            for each in starts
        ],
    )
