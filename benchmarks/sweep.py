"""
Measure the cost of the sweep, and how late it reports endings without a bus.

The sweep is the query that asks, once a second, which sessions have ended. One process
holds the hub with many connections, one for each session. Another process ends
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
# The number of connections that one sweep covers.
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
    Measure a hub, which notifies connections of endings, and return the table's row.

    ``size`` is the number of connections. ``plays`` says whether each session has a
    play. ``seconds`` is the time for which the cost is measured. ``endings`` is the
    number of sessions that are ended with a wrong clock, and also the number of those
    that are ended in one transaction, which takes ``slow`` seconds.
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
    """Yield the table for the documentation."""
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
