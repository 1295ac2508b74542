"""
How soon an open page knows: ``python -m benchmarks.push [--full]`` (``make push``).

From the moment at which the displacing sign-in has committed, taken in its process, to
the moment at which the event has been read off a socket, taken in this one: Linux has
one monotonic clock for both. Each displacement is a sign-in of its own, of a user whose
page is open; the idle pages are other users'.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import resource
import statistics
import subprocess
import sys
from typing import Any

from benchmarks import machine, results
from benchmarks.databases import database
from benchmarks.environments import ROOT
from benchmarks.push import report
from benchmarks.push.pages import Consumer, Polling, Stream, get
from benchmarks.push.server import Server, serving

PEOPLE = "benchmarks.push.project.people"
# How many people take turns in being displaced.
PLAYERS = 20
# A page is open for so long before it is displaced, in seconds: it has been verified.
OPEN = 0.02


def share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def figures(delays: list[float | None]) -> dict[str, Any]:
    came = [delay for delay in delays if delay is not None]
    return {
        "displacements": len(delays),
        "never": len(delays) - len(came),
        "p50_ms": statistics.median(came),
        "p99_ms": share(came, 0.99),
        "max_ms": max(came),
    }


async def displace(
    page: Any, name: str, key: str, watching: Server, signing_in: Server
) -> tuple[float | None, str, float]:
    """
    Return after how many ms the page knew, the new key, and what the sign-in took.
    """
    await page.open(watching.port, key)
    await asyncio.sleep(OPEN if not isinstance(page, Polling) else 0)
    waiting = asyncio.ensure_future(page.ended())
    if isinstance(page, Polling):
        # Some time after the page began to ask.
        await asyncio.sleep(random.uniform(0.1, Polling.INTERVAL))
    answer = await get(signing_in.port, f"/sign-in/?user={name}")
    assert answer.status == 200, answer.body
    at = await waiting
    await page.close()
    committed = int(answer.headers["x-committed"])
    took = int(answer.headers["x-took"]) / 1e6
    delay = None if at is None else (at - committed) / 1e6
    return delay, answer.key, took


async def idle(
    server: Server, kind: type, keys: list[str], stack: contextlib.AsyncExitStack
) -> list[Any]:
    """Open a page for each key, and keep them open."""
    pages = []
    for start in range(0, len(keys), 50):
        opening = [kind().open(server.port, key) for key in keys[start : start + 50]]
        pages += await asyncio.gather(*opening)
    for page in pages:
        stack.push_async_callback(page.close)
    return pages


async def measure(
    kind: type,
    people: dict[str, str],
    idle_pages: int,
    count: int,
    servers: list[Server],
) -> dict[str, Any]:
    """Displace ``count`` pages one after another while others are open."""
    watching, signing_in = servers[0], servers[-1]
    names = list(people)
    async with contextlib.AsyncExitStack() as stack:
        # What the first pages take once is nobody's weight.
        async with contextlib.AsyncExitStack() as first:
            await idle(watching, kind, list(people.values())[:PLAYERS], first)
        before = watching.memory
        others = names[PLAYERS : PLAYERS + idle_pages]
        pages = await idle(watching, kind, [people[name] for name in others], stack)
        weight = (watching.memory - before) / idle_pages if idle_pages > 1 else None
        delays, took = [], []
        for number in range(count):
            name = names[number % PLAYERS]
            delay, people[name], milliseconds = await displace(
                kind(), name, people[name], watching, signing_in
            )
            delays.append(delay)
            took.append(milliseconds)
        misled = await _misled(pages)
    return {
        **figures(delays),
        "idle": idle_pages,
        "processes": len(servers),
        "misled": misled,
        "bytes_per_idle": weight,
        "sign_in_ms": statistics.median(took),
    }


async def _misled(pages: list[Any]) -> int:
    """Return how many pages of others were told anything."""
    return sum(
        b"ended" in bytes(page.reader._buffer)
        for page in pages
        if isinstance(page, Stream)
    )


async def polling(
    people: dict[str, str], count: int, servers: list[Server]
) -> dict[str, Any]:
    names = list(people)[PLAYERS : PLAYERS + count]
    asked = [
        displace(Polling(), name, people[name], servers[0], servers[-1])
        for name in names
    ]
    delays = [delay for delay, _, _ in await asyncio.gather(*asked)]
    return {**figures(delays), "processes": len(servers)}


def overhead() -> dict[str, float]:
    """Return what a request pays for passing through, in microseconds."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.push.overhead"],
        cwd=ROOT,
        env=os.environ | {"BENCHMARKS_NAME": "none"},
        check=True,
        capture_output=True,
        text=True,
    )
    cookie, none = map(float, done.stdout.split())
    return {"with_cookie_us": cookie, "without_us": none}


def run(*, full: bool) -> dict[str, Any]:
    most = 5000 if full else 200
    count = 1000 if full else 60
    found: dict[str, Any] = {
        **machine.describe("python -m benchmarks.push"),
        "rows": [],
    }
    with database("postgresql", "push") as made:
        environment = made.environment
        listed = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks.push.project.people",
                str(most + PLAYERS),
            ],
            cwd=ROOT,
            env=os.environ | environment,
            check=True,
            capture_output=True,
            text=True,
        )
        people = dict(line.split() for line in listed.stdout.splitlines())
        for bus, processes, pages in _plan(most):
            with contextlib.ExitStack() as stack:
                given = environment | {"BENCHMARKS_BUS": bus}
                servers = [
                    stack.enter_context(serving(given)) for _ in range(processes)
                ]
                kind = Consumer if bus == "channels" else Stream
                # The sweep takes its time.
                times = count // 10 if (bus, processes) == ("memory", 2) else count
                row = asyncio.run(measure(kind, people, pages, times, servers))
            row["by"] = "sweep" if (bus, processes) == ("memory", 2) else bus
            found["rows"].append(row)
            print(row, flush=True)
        with contextlib.ExitStack() as stack:
            given = environment | {"BENCHMARKS_BUS": "memory"}
            servers = [stack.enter_context(serving(given)) for _ in range(2)]
            row = asyncio.run(polling(people, 200 if full else 40, servers))
        found["rows"].append({"by": "polling", "idle": 0, "misled": 0, **row})
        found["overhead"] = overhead()
    return found


def _plan(most: int) -> list[tuple[str, int, int]]:
    """Return what is measured: by what, over how many processes, beside how many."""
    several = sorted({1, min(1000, most), most})
    plan = [("memory", 1, pages) for pages in several]
    plan += [("memory", 2, several[1])]
    for bus in ("redis", "postgres"):
        plan += [(bus, 1, several[0])]
        plan += [(bus, 2, pages) for pages in several]
    return [*plan, ("channels", 2, several[0]), ("channels", 2, several[1])]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.push", description=__doc__
    )
    parser.add_argument("--full", action="store_true", help="1,000 displacements each")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = run(full=options.full)
    directory = results.PUBLISHED if options.full else results.QUICK
    results.save("push", found, directory)
    print(report.write(directory))
    return int(any(row["never"] or row["misled"] for row in found["rows"]))


if __name__ == "__main__":
    sys.exit(main())
