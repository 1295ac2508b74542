"""The page of what was measured: ``docs/explanation/plays.md``."""

from __future__ import annotations

from typing import Any

from benchmarks.environments import ROOT
from benchmarks.push.report import machine

PAGE = ROOT / "docs" / "explanation" / "plays.md"
TARGET = 0.7
# What is asked, beside whether the session is live.
KINDS = {"": "", "play": ", with a play", "first": ", first asked"}
TEXT = """\
# What plays cost, and what the gateway answers

Written by `make plays FULL=1` from `benchmarks/results/plays.json`. {machine}

## Live plays

Each is renewed every ten seconds, evenly, from two processes on this machine, on
PostgreSQL beside them. *Django*: a request through its handler with the session's
cookie, as a player sends it. *Statements*: those alone that such a request has sent, as
the Django of other machines would. *PostgreSQL* is what its connections and what writes
for them took of one core; *p50* and *p99* count from when a renewal was due; *CPU* is
the sender's for each; *lost*, how many had lapsed for coming a second late.

| plays | by | renewals/s | statements/s | PostgreSQL | p50 ms | p99 ms | CPU | lost |
|---|---|---|---|---|---|---|---|---|
{live}

A renewal is three statements: the session with its row, the user, and the `UPDATE`;
and once in `SESSION_LIMIT_TOUCH_INTERVAL`, activity is recorded.

**One machine.** Two processes of Python and PostgreSQL carry {carried:,.0f} plays on
these {cores} cores (renewals wait {waits:.0f} ms then). More cores of Python carry
more, until PostgreSQL's are used up: {per_core:,.0f} plays each.

**On paper,** ten million live plays are {paper_renewals:,.0f} renewals and
{paper_statements:,.0f} statements a second, which is {paper_postgres:,.0f} cores of
PostgreSQL (several databases, accounts divided among them) and {paper_python:,.0f}
cores of Python. That is computed, not measured. Where a proxy guards the segments, the
gateway's question may renew (`renew=1`): it is asked anyway.

## The gateway

Questions a second that one process (uvicorn, `SessionGuard`) answers over
{connections} connections that are kept, beside a bare ASGI application that makes the
same round trips in the same kind of thread and decides nothing; by turns. PostgreSQL,
and Redis for the caches.

| engine | gateway | bare | ratio |
|---|---|---|---|
{gateway}

The target is a ratio of {target}. {verdict}

*First asked* are sessions that the process has not met in the last minute: whether the
account was disabled, or its password changed, past any request, is looked for as well.
A player that asks every few seconds pays that once a minute. No target: the bare
application makes no such round trips.

## nginx

A file of 10 kB, `db`: one request after another, and so many a second over
{connections} connections, before one process of the gateway.

| | ms | requests/s |
|---|---|---|
{nginx}

To ask costs a segment {difference:.2f} ms.
"""
# What comes before a file, by the location that it is asked for at.
WAYS = {
    "free": "nobody is asked",
    "kept": "the answer is kept for two seconds",
    "asked": "the gateway is asked every time",
}


def text(found: dict[str, Any]) -> str:
    """Return the page of what was ``found``."""
    last = found["live"][-1]
    each = {row["way"]: row["ms"] for row in found["nginx"]}
    factor = 10_000_000 / last["plays"]
    renewals = last["renewals_per_second"] * factor
    django = [row for row in found["live"] if row["through"] == "django"]
    kept = [row for row in django if not row["lost"]]
    missed = [
        f"{_name(row)} ({row['ratio']:.2f})"
        for row in found["gateway"]
        if row["ratio"] < TARGET and row["kind"] != "first"
    ]
    return TEXT.format(
        machine=machine(found),
        live="\n".join(map(_live, found["live"])),
        paper_renewals=renewals,
        paper_statements=last["statements_per_second"] * factor,
        paper_postgres=last["postgres_cores"] * factor,
        paper_python=renewals * django[-1]["worker_ms"] / 1000,
        cores=found["cores"],
        carried=kept[-1]["plays"] if kept else 0,
        waits=kept[-1]["p50_ms"] if kept else 0,
        # Of few plays it takes no tick of a clock.
        per_core=last["plays"] / max(last["postgres_cores"], 0.01),
        connections=found["connections"],
        gateway="\n".join(map(_gateway, found["gateway"])),
        target=TARGET,
        verdict=f"Missed: {', '.join(missed)}." if missed else "All of them meet it.",
        nginx="\n".join(map(_nginx, found["nginx"])),
        difference=each["asked"] - each["free"],
    )


def _live(row: dict[str, Any]) -> str:
    return (
        f"| {row['plays']:,} | {row['through'].capitalize()} "
        f"| {row['renewals_per_second']:,.0f} "
        f"| {row['statements_per_second']:,.0f} | {row['postgres_cores']:.2f} "
        f"| {row['p50_ms']:.1f} | {row['p99_ms']:.1f} | {row['worker_ms']:.2f} ms "
        f"| {row['lost']} |"
    )


def _name(row: dict[str, Any]) -> str:
    return f"`{row['engine']}`{KINDS[row['kind']]}"


def _gateway(row: dict[str, Any]) -> str:
    return (
        f"| {_name(row)} | {row['gateway']:,.0f} | {row['bare']:,.0f} "
        f"| {row['ratio']:.2f} |"
    )


def _nginx(row: dict[str, Any]) -> str:
    return f"| {WAYS[row['way']]} | {row['ms']:.2f} | {row['rate']:,.0f} |"
