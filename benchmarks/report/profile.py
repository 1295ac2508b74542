"""Where the time goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import OURS
from benchmarks.report.tables import measured_on, table


def markdown(result: dict[str, Any]) -> Iterator[str]:
    yield "## Where it goes"
    yield measured_on(result["machine"])
    yield from _instructions(result["instructions"])
    for profile in result["profiles"]:
        is_shown = profile["database"] == "postgresql"
        if is_shown and profile["contender"] == OURS.name:
            yield from _functions(profile)
    yield "Those of plain, and of SQLite, are in `benchmarks/results/profile.json`."


def _instructions(counted: list[dict[str, Any]] | str) -> Iterator[str]:
    yield "### Instructions"
    if isinstance(counted, str):
        yield f"Not in this run: {counted}."
        return
    yield (
        "By callgrind, of one request: the difference between a process with so many"
        " requests and one with twice as many. Nothing else on the machine changes"
        " them; they are no times. SQLite works in the process, and is counted too."
    )
    yield table(
        ["page", "engine", "", "thousand instructions", "times plain"],
        [
            [
                figure["page"],
                f"`{figure['engine']}`",
                figure["contender"],
                f"{figure['instructions'] / 1000:.0f}",
                f"{figure['to_plain']:.3f}",
            ]
            for figure in counted
        ],
    )


def _functions(profile: dict[str, Any]) -> Iterator[str]:
    yield "### {what}, {database}, `{engine}`".format(**profile)
    yield (
        "The functions that take most CPU by themselves, then ours; microseconds of one"
        " request, which the profiler makes longer, small functions most."
    )
    yield table(
        ["function", "calls", "own", "with what it calls"],
        [
            [
                f"`{row['function'].replace('|', ' ')}`",
                f"{row['calls']:.1f}",
                f"{row['own']:.1f}",
                f"{row['cumulative']:.1f}",
            ]
            for row in profile["functions"]
        ],
    )
