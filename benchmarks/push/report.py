"""The page of what was measured: ``docs/explanation/push.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.environments import ROOT

PAGE = ROOT / "docs" / "explanation" / "push.md"
NAMES = {
    "memory": "in process (default)",
    "sweep": "the sweep alone (default, another process)",
    "redis": "`redis`",
    "postgres": "`postgres`",
    "channels": "a Channels consumer, channels_redis",
    "polling": "asking every 5 s",
}
TEXT = """\
# How soon an open page knows

Written by `make push FULL=1` from `benchmarks/results/push.json`; what is not ours
stands beside it, from the same run. {machine}

The time is from the moment at which the displacing sign-in has committed to the moment
at which the event has been read off a socket: two processes, and one clock (Linux's
monotonic one). Every displacement is a sign-in of its own on PostgreSQL, of a user
whose page is open; the idle pages are others', held by the same process. *Never*:
not within five seconds. *Misled*: pages of others that were told anything.

| what tells | processes | idle | displaced | p50 ms | p99 ms | max | never | misled |
|---|---|---|---|---|---|---|---|---|
{rows}

| | |
|---|---|
| memory per idle page, uvicorn | {memory} |
| the same, a Channels consumer | {channels_memory} |
| `login()`, displacing: in process / `redis` / `postgres` / Channels | {sign_in} ms |
| an ordinary request through the guard: with a cookie / without | {requests} |

Targets: p50 < 5 ms, p99 < 100 ms, the sweep 1.2 s at most, 20 KB an idle page,
20 microseconds an ordinary request, and nobody never or misled. {verdict}

An event is a hint, so between hearing it and telling the page lies one read of the
database, in a thread. The page then asks the status for the words, which is not in
these figures.
"""


def write(directory: Path = results.PUBLISHED) -> str:
    """Write the page from what was measured; return it."""
    found = results.load("push", directory)
    assert found is not None, "nothing was measured yet"
    rows = found["rows"]
    text = TEXT.format(
        machine=machine(found),
        rows="\n".join(map(_row, rows)),
        memory=_memory(rows, lambda row: row["by"] != "channels"),
        channels_memory=_memory(rows, lambda row: row["by"] == "channels"),
        sign_in=" / ".join(
            _sign_in(rows, by) for by in ("sweep", "redis", "postgres", "channels")
        ),
        requests="{with_cookie_us:.1f} / {without_us:.1f} microseconds".format(
            **found["overhead"]
        ),
        verdict=_verdict(found),
    )
    if directory == results.PUBLISHED:
        PAGE.write_text(text)
    return text


def machine(found: dict[str, Any]) -> str:
    """Return what it was measured on, in a sentence."""
    versions = ", ".join(f"{name} {value}" for name, value in found["versions"].items())
    return (
        f"Measured {found['date']} at {found['commit']} on {found['cores']} cores "
        f"({found['processor']}), load {found['load']} before it; {versions}."
    )


def _row(row: dict[str, Any]) -> str:
    cells = [
        NAMES[row["by"]],
        *(row[name] for name in ("processes", "idle", "displacements")),
        *(f"{row[name]:.1f}" for name in ("p50_ms", "p99_ms", "max_ms")),
        *(row[name] for name in ("never", "misled")),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _memory(rows: list[dict[str, Any]], wanted: Any) -> str:
    weights = [
        (row["idle"], row["bytes_per_idle"] / 1000)
        for row in rows
        if wanted(row) and row.get("bytes_per_idle") and row["idle"] >= 1000
    ]
    if not weights:
        return "not measured"
    return ", ".join(f"{weight:.1f} KB ({idle:,})" for idle, weight in weights)


def _sign_in(rows: list[dict[str, Any]], by: str) -> str:
    took = [
        row["sign_in_ms"] for row in rows if row["by"] == by and row["processes"] == 2
    ]
    return f"{min(took):.1f}" if took else "–"


def _verdict(found: dict[str, Any]) -> str:
    missed = []
    for row in found["rows"]:
        if row["by"] in {"channels", "polling"}:
            continue
        limit = (1200, 1200) if row["by"] == "sweep" else (5, 100)
        if row["p50_ms"] > limit[0] or row["p99_ms"] > limit[1]:
            missed.append(
                f"{NAMES[row['by']]} beside {row['idle']} "
                f"({row['p50_ms']:.1f} / {row['p99_ms']:.1f} ms)"
            )
        if row["never"] or row["misled"]:
            missed.append(f"{row['never']} never, {row['misled']} misled")
        if (row.get("bytes_per_idle") or 0) > 20_000 and row["idle"] >= 1000:
            missed.append(f"memory beside {row['idle']}")
    if found["overhead"]["with_cookie_us"] > 20:
        missed.append("an ordinary request")
    return f"Missed: {'; '.join(missed)}." if missed else "All of them were met."
