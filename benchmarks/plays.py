"""
Measure the cost of live plays, each of which is renewed at the default interval.

Worker processes call Django's handler directly with the requests that a player sends,
evenly spread over time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

from benchmarks.contenders import WITH_PLAYS
from benchmarks.environments import ROOT
from benchmarks.figures import measured, percentile, table
from benchmarks.servers import (
    Person,
    connect,
    database,
    execute,
    people,
    postgres_seconds,
    variables,
    worker,
)

PAGE = ROOT / "docs" / "explanation" / "plays.md"
BLOCKS = ("plays",)

WORKERS = 2
# As if every play had been renewed in the last interval of 10 s. A renewal that comes
# more than a second late then finds that the lease has run out.
LEASED = "UPDATE session_limit_play SET lease_until = now() + interval '11 s'"
# Keep the leases from running out before the measurement begins.
KEEP = "UPDATE session_limit_play SET lease_until = now() + interval '1 hour'"
# Activity is recorded once a minute, so one in six renewals records it.
ACTIVE = (
    "UPDATE session_limit_usersession"
    " SET last_active_at = now() - interval '10 s' * (1 + floor(random() * 6))"
)
COLUMNS = ["plays", "renewals/s", "statements/s", "PostgreSQL", "p50 ms", "p99 ms"]
COLUMNS += ["CPU ms", "lapsed"]


def renew(
    everybody: list[Person], seconds: float, on: dict[str, str]
) -> dict[str, Any]:
    """
    Renew everybody's play for this many ``seconds``, and return the measured values.
    """
    name = on["BENCHMARKS_NAME"]
    with ExitStack() as stack:
        given = variables(WITH_PLAYS, on)
        workers = [stack.enter_context(worker(given)) for _ in range(WORKERS)]
        for number, each in enumerate(workers):
            own = [(one.key, one.play) for one in everybody[number::WORKERS]]
            each.call("renewing.prepare", people=own)
        connection = stack.enter_context(closing(connect(name)))
        for statement in ("VACUUM ANALYZE", ACTIVE, LEASED):
            connection.execute(statement)
        before, begun = postgres_seconds(connection, name), time.monotonic()
        for each in workers:
            each.begin("renewing.renew", seconds=seconds)
        found = [each.end() for each in workers]
        took = time.monotonic() - begun
        cores = (postgres_seconds(connection, name) - before) / took
    delays = [delay for each in found for delay in each["delays"]]
    return {
        "plays": len(everybody),
        "renewals": len(delays) / took,
        "statements": sum(each["statements"] for each in found) / took,
        "postgres": cores,
        "p50": percentile(delays, 50),
        "p99": percentile(delays, 99),
        "cpu": 1000 * sum(each["cpu"] for each in found) / len(delays),
        "lapsed": sum(each["lapsed"] for each in found),
    }


def cells(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['plays']:,}",
        f"{row['renewals']:,.0f}",
        f"{row['statements']:,.0f}",
        f"{row['postgres']:.2f}",
        *(f"{row[name]:.1f}" for name in ("p50", "p99")),
        f"{row['cpu']:.2f}",
        str(row["lapsed"]),
    ]


def summary(rows: list[dict[str, Any]]) -> str:
    """Return a sentence that extrapolates the results to larger sites."""
    last = rows[-1]
    per_core = 1000 / last["cpu"] * last["plays"] / last["renewals"]
    # With few plays, PostgreSQL may use less CPU time than the system can measure.
    per_database_core = last["plays"] / max(last["postgres"], 0.01)
    return (
        f"A renewal takes {last['statements'] / last['renewals']:.1f} statements."
        f" Computed from the last row, one core of PostgreSQL carries"
        f" {per_database_core:,.0f} plays and one core of Python {per_core:,.0f}."
    )


def measure(*, full: bool) -> Iterator[str]:
    """Yield the table for the documentation. Exits with an error if a lease ran out."""
    sizes, seconds = ((1_000, 2_500, 5_000), 20.0) if full else ((250, 500), 12.0)
    sentence, rows = measured(), []
    for size in sizes:
        # Use a new database for each size, because updates leave old row versions.
        with database(owner="plays") as on:
            everybody = people(size, on)
            # The leases would run out while the plays are being created.
            execute(KEEP, on["BENCHMARKS_NAME"])
            rows.append(renew(everybody, seconds, on))
            print(rows[-1], flush=True)
    shown = summary(rows)
    parts = [sentence, table(COLUMNS, map(cells, rows)), shown]
    yield "\n\n".join(parts)
    if any(row["lapsed"] for row in rows):
        sys.exit("A play lapsed.")
