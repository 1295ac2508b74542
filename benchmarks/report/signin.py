"""The cost of a sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import OURS, PLAIN
from benchmarks.report.svg import Bar, bars
from benchmarks.report.tables import (
    Figure,
    measured_on,
    milliseconds,
    statements,
    table,
    times,
)


def _bar(figure: Figure, label: str) -> Bar:
    spread = {key: figure["ms"][key] for key in ("median", "low", "high")}
    value = f"{figure['ms']['median']:.1f} ms"
    is_ours = figure["contender"].startswith(OURS.name)
    return Bar(label, **spread, value=value, is_ours=is_ours)


def plot(result: dict[str, Any]) -> str:
    """Draw how a displacing sign-in grows with the registry: not at all, it should."""
    figures = [
        figure
        for figure in result["figures"]
        if figure.get("kind") == "displacing"
        and figure["contender"] in {PLAIN.name, OURS.name}
    ]
    rows = [
        _bar(figure, f"{figure['contender']}, {figure['rows']:,} rows")
        for figure in sorted(figures, key=lambda f: (f["rows"], f["contender"]))
    ]
    return bars(
        "A sign-in that displaces another session",
        "milliseconds on PostgreSQL, by rows in the registry; plain: a sign-in alone;"
        " line: quartiles",
        rows,
        None,
    )


def markdown(result: dict[str, Any]) -> Iterator[str]:
    effort = result["effort"]
    smallest = min(effort["sizes"])
    yield "## What a sign-in costs"
    yield measured_on(result["machine"])
    yield (
        "A request that signs in to an account whose password was checked before, on"
        f" PostgreSQL: {effort['rounds']} rounds of {effort['each']} of each kind,"
        " registries of all sizes in the same rounds. *ms*: the median and the"
        " quartiles of all; *more* and *times*: than plain's median in the same round;"
        " *quiet*: how much more the fastest tenth took than plain's, on which a busy"
        " machine has the least influence; *CPU*: the process's own, times plain's."
    )
    yield (
        "For packages without a limit of their own a sign-in includes what their"
        " documentation has a project do to end the other sessions. Some of the others"
        " displace only when the newcomer opens a page: *displacing, and a page* is"
        " both."
    )
    yield "![A displacing sign-in, by rows](benchmarks/signin.svg)"
    for size in effort["sizes"]:
        yield f"### {size:,} rows in the registry"
        more = [] if size == smallest else [f"to {smallest:,} rows"]
        yield table(
            [
                "",
                "sign-in",
                "statements",
                "ms",
                "p90",
                "more",
                "quiet",
                "times",
                "CPU",
                *more,
            ],
            [
                [
                    figure["contender"],
                    figure["kind"],
                    statements(figure["statements"]),
                    milliseconds(figure["ms"]),
                    f"{figure['p90_ms']:.1f}",
                    milliseconds(figure["more_ms"]),
                    f"{figure['quiet_more_ms']:.1f}",
                    times(figure["to_plain"]),
                    times(figure["cpu_to_plain"]),
                    *([times(figure["to_smallest"])] if more else []),
                ]
                for figure in result["figures"]
                if figure["rows"] == size and "error" not in figure
            ],
        )
    for figure in result["figures"]:
        if "error" in figure:
            yield "{contender} does not run: `{error}`".format(**figure)
    yield from _throughput(result["throughput"])


def _throughput(figures: list[Figure]) -> Iterator[str]:
    yield "### Sign-ins a second"
    yield (
        "Displacing ones, from so many processes at once: of many accounts, and all of"
        " one account, which are admitted one after another."
    )
    yield table(
        ["", "processes", "accounts", "a second", "times plain"],
        [
            [
                figure["contender"],
                figure["processes"],
                figure["accounts"],
                f"{figure['per_second']['median']:.0f}",
                times(figure["to_plain"]),
            ]
            for figure in sorted(
                figures,
                key=lambda f: (f["accounts"], f["processes"], f["contender"]),
            )
        ],
    )
