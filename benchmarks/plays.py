"""
Measure the cost of live plays, each of which is renewed at the default interval.

A process sends the requests of players, evenly spread over time, to one uvicorn process
that serves the project under ``SessionGuard``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contenders import WITH_PLAYS
from benchmarks.environments import ROOT
from benchmarks.figures import measured, percentile, table, verdict
from benchmarks.servers import (
    TICKS,
    connect,
    database,
    execute,
    postgres_seconds,
    serving,
    variables,
    worker,
)

PAGE = ROOT / "docs" / "explanation" / "plays.md"
BLOCKS = ("plays",)

# In seconds, by default: how often a player renews its play.
INTERVAL = 10.0
# As many connections as a proxy keeps open to the server.
CONNECTIONS = 128
# The targets: the CPU time of the server for a renewal, how many plays it must carry,
# and how soon 99 of 100 renewals must be answered.
CPU, PLAYS, P99 = 0.6, 10_000, 250.0
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
COMMITS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"
COLUMNS = ["plays", "renewals/s", "statements", "CPU ms", "constant ms", "PostgreSQL"]
COLUMNS += ["players", "p50 ms", "p99 ms", "lost"]


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used so far."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return sum(map(int, stat.rpartition(")")[2].split()[11:13])) / TICKS


@contextmanager
def players(**arguments: Any) -> Iterator[subprocess.Popen[str]]:
    """Run ``benchmarks.players`` with the given arguments."""
    command = [sys.executable, "-m", "benchmarks.players"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        say(process, json.dumps(arguments))
        yield process


def say(process: subprocess.Popen[str], line: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def renew(
    everybody: list[tuple[str, str]],
    seconds: float,
    on: dict[str, str],
    warm: float = INTERVAL,
) -> dict[str, Any]:
    """
    Renew everybody's play for this many ``seconds``, and return the measured values.

    ``everybody`` contains pairs of a session key and a play's id. For ``warm`` seconds,
    the server meets the sessions before the measurement.
    """
    name, pause = on["BENCHMARKS_NAME"], INTERVAL / len(everybody)
    paths = [(key, f"/account/sessions/plays/{id}/renew/") for key, id in everybody]
    common = {"pause": pause, "connections": CONNECTIONS}
    execute(KEEP, name)
    with serving(on, WITH_PLAYS, pool="0") as server:
        asks = {"port": server.port, **common}
        with players(people=paths, spans=[warm, seconds], **asks) as process:
            say(process)
            hear(process)
            with closing(connect(name)) as connection:
                connection.execute(LEASED)
                connection.execute("CHECKPOINT")
                [before] = connection.execute(COMMITS, [name]).fetchone()
                used, begun = postgres_seconds(connection, name), time.monotonic()
                cpu = cpu_seconds(server.pid)
                say(process)
                found = hear(process)
                took = time.monotonic() - begun
                cpu = cpu_seconds(server.pid) - cpu
                used = postgres_seconds(connection, name) - used
                # PostgreSQL counts a second late.
                time.sleep(1.5)
                [after] = connection.execute(COMMITS, [name]).fetchone()
        empty = [(key, "/empty/") for key, _ in everybody]
        with players(people=empty, spans=[2.0, seconds / 10], **asks) as process:
            say(process)
            hear(process)
            constant = cpu_seconds(server.pid)
            say(process)
            count = len(hear(process)["delays"])
            constant = cpu_seconds(server.pid) - constant
    delays = found["delays"]
    return {
        "plays": len(everybody),
        "renewals": len(delays) / took,
        "statements": (after - before) / len(delays),
        "cpu": 1000 * cpu / len(delays),
        "constant": 1000 * constant / count,
        "postgres": used / took,
        "players": found["cpu"] / took,
        "p50": percentile(delays, 50),
        "p99": percentile(delays, 99),
        "lost": found["lost"],
    }


def cells(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['plays']:,}",
        f"{row['renewals']:,.0f}",
        *(f"{row[each]:.2f}" for each in ("statements", "cpu", "constant")),
        *(f"{row[each]:.2f}" for each in ("postgres", "players")),
        *(f"{row[each]:.1f}" for each in ("p50", "p99")),
        str(row["lost"]),
    ]


def misses(row: dict[str, Any]) -> list[str]:
    """Return the targets that were missed with this number of plays."""
    found = []
    if row["cpu"] > CPU:
        found.append(f"{row['cpu']:.2f} ms of CPU with {row['plays']:,} plays")
    if row["plays"] <= PLAYS and row["p99"] > P99:
        found.append(f"p99 of {row['p99']:.0f} ms with {row['plays']:,} plays")
    if row["plays"] <= PLAYS and row["lost"]:
        found.append(f"{row['lost']} of {row['plays']:,} lost")
    return found


def summary(row: dict[str, Any]) -> str:
    """Return a sentence that extrapolates the results to larger sites."""
    per_core = 1000 / row["cpu"] * INTERVAL
    # With few plays, PostgreSQL may use less CPU time than the system can measure.
    per_database_core = row["plays"] / max(row["postgres"], 0.01)
    return (
        f"Computed from the row of {row['plays']:,} plays, one core of PostgreSQL"
        f" carries {per_database_core:,.0f} plays and one core of Python"
        f" {per_core:,.0f}."
    )


def measure(*, full: bool) -> Iterator[str]:
    """Yield the table for the documentation."""
    sizes, seconds = ((2_500, 5_000, 10_000, 20_000), 45.0) if full else ((500,), 12.0)
    sentence, rows, missed = measured(), [], []
    with database(owner="plays") as on:
        with worker(variables(WITH_PLAYS, on, engine="db")) as made:
            everybody = made.call("people.create_players", count=sizes[-1])
        for size in sizes:
            for statement in (ACTIVE, "VACUUM ANALYZE"):
                execute(statement, on["BENCHMARKS_NAME"])
            rows.append(renew(everybody[:size], seconds, on))
            missed += misses(rows[-1])
            print(rows[-1], flush=True)
    reference = next((row for row in rows if row["plays"] == PLAYS), rows[-1])
    shown = f"{sentence} {verdict(missed)}", table(COLUMNS, map(cells, rows))
    yield "\n\n".join([*shown, summary(reference)])
