"""
What the sweep costs, and how late it tells of an ending that no bus announced.

One process holds a hub with many connections, one session each. Another one ends
sessions, with a wrong clock or in a long transaction.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import OURS, WITH_PLAYS
from benchmarks.environments import ROOT
from benchmarks.figures import measured, table
from benchmarks.servers import connect, database, postgres_seconds, variables, worker

PAGE = ROOT / "docs" / "explanation" / "sweep.md"
BLOCKS = ("sweep",)

SIZES = (1, 1_000, 5_000, 20_000)
# How many connections one sweep asks about.
PART = 2_000
COLUMNS = [
    "connected",
    "plays",
    "statements/s",
    "PostgreSQL",
    "hub",
    "bound, s",
    "clocks apart, s",
    "long commit, s",
]


def row(
    size: int, *, plays: bool, seconds: float, endings: int, slow: float
) -> list[str]:
    """
    Measure one hub.

    Args:
        size: The number of connections.
        plays: Whether each session has a play.
        seconds: How long the cost is measured.
        endings: How many sessions are ended with a wrong clock, and how many at once.
        slow: The seconds that the transaction of the others takes.
    """
    with database(owner="sweep") as on:
        given = variables(WITH_PLAYS if plays else OURS, on)
        with worker(given) as hub, worker(given) as ending:
            ids = hub.call("sweeping.hold", count=size)
            with connect(on["BENCHMARKS_NAME"]) as connection:
                name = on["BENCHMARKS_NAME"]
                before = postgres_seconds(connection, name)
                cost: dict[str, Any] = hub.call("sweeping.cost", seconds=seconds)
                used = (postgres_seconds(connection, name) - before) / seconds
            chosen = random.sample(ids, min(size, 2 * endings))
            late = chosen[endings:] or chosen[:1]
            soon = [id for id in chosen[:endings] if id not in late]
            committed = ending.call("sweeping.end", soon=soon, late=late, seconds=slow)
            time.sleep(size // PART + 4)
            heard = hub.call("sweeping.heard")
    delays = {id: heard[id] - at for id, at in committed.items()}
    return [
        f"{size:,}",
        "yes" if plays else "no",
        f"{cost['statements']:.1f}",
        f"{used:.3f}",
        f"{cost['cpu']:.3f}",
        str(max(1, -(-size // PART))),
        f"{max(delays[id] for id in soon):.2f}" if soon else "",
        "" if plays else f"{max(delays[id] for id in late):.2f}",
    ]


def measure(*, full: bool) -> Iterator[str]:
    """Yield the table of the page."""
    seconds, endings, slow = (20.0, 30, 60.0) if full else (3.0, 3, 3.0)
    sentence, rows = measured(), []
    for size in SIZES if full else SIZES[:2]:
        for plays in (False, True):
            rows.append(
                row(
                    size,
                    plays=plays,
                    seconds=seconds,
                    endings=endings,
                    slow=seconds if plays else slow,
                )
            )
            print(rows[-1], flush=True)
    sizes = (
        f"{endings} endings with a wrong clock, and {endings} in one transaction of"
        f" {slow:.0f} s."
    )
    yield f"{sentence} {sizes}\n\n{table(COLUMNS, rows)}"
