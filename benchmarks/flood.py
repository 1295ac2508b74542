"""
Measure how long signed-in users wait while others flood the server.

The flood consists of requests with random session cookies. It goes to an application
that responds at once, to one that makes only the database queries of the gateway, to a
Django view, and to the gateway. After that, thousands of requests for event streams are
sent and abandoned.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import string
from collections.abc import Iterator
from contextlib import suppress

from benchmarks.connections import Connection
from benchmarks.contenders import OURS
from benchmarks.environments import ROOT
from benchmarks.figures import measured, table
from benchmarks.gateway import PATH
from benchmarks.servers import database, people, serving

PAGE = ROOT / "docs" / "explanation" / "flood.md"
BLOCKS = ("flood", "abandoned")

EMPTY = "an ASGI application that answers at once"
TARGETS = {
    EMPTY: "/empty/",
    "an ASGI application that makes the same round trip": "/bare/?session={session}",
    "a Django view that reads the session": "/account/sessions/status/",
    "the gateway": PATH,
}
STREAMS = {EMPTY: "/empty/", "the event stream": "/account/sessions/events/"}
# The number of requests that are abandoned together, and after how many seconds.
AT_ONCE, ABANDONED = 400, 0.05
# In seconds: the time from the start of the flood to the user's first request, and from
# one response to the next request.
BEFORE, BETWEEN = 2.0, 0.1


def invented() -> str:
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=32))


async def flooded(
    port: int, path: str, key: str, connections: int, asked: int
) -> tuple[float, float, float, float]:
    """
    Flood ``path``, and return the rate of the flood and the user's response times.

    These are: the flood's requests per second, the user's median time without the
    flood, and the user's median and longest time during the flood, in milliseconds.
    """
    count = 0

    async def flood() -> None:
        nonlocal count
        async with await Connection.open(port) as connection:
            while True:
                await connection.ask(path, invented())
                count += 1

    async def ask_all() -> list[float]:
        took = []
        async with await Connection.open(port) as connection:
            for _ in range(asked):
                took.append((await connection.ask(path, key)).milliseconds)
                await asyncio.sleep(BETWEEN)
        return took

    # The first requests also do what is done only once, so they are not measured.
    await ask_all()
    alone = await ask_all()
    floods = [asyncio.create_task(flood()) for _ in range(connections)]
    await asyncio.sleep(BEFORE)
    before, begun = count, asyncio.get_running_loop().time()
    took = await ask_all()
    rate = (count - before) / (asyncio.get_running_loop().time() - begun)
    for task in floods:
        task.cancel()
    await asyncio.gather(*floods, return_exceptions=True)
    return rate, statistics.median(alone), statistics.median(took), max(took)


async def begin(port: int, path: str, key: str) -> float:
    """Return the milliseconds until a response begins, over a new connection."""
    async with await Connection.open(port) as connection:
        begun = asyncio.get_running_loop().time()
        connection.send(path, key)
        assert (await connection.reader.readline()).startswith(b"HTTP/1.1 200")
    return (asyncio.get_running_loop().time() - begun) * 1000


async def abandoned(port: int, path: str, key: str, count: int) -> tuple[float, float]:
    """Return the milliseconds of a request before and after many abandoned ones."""

    async def abandon() -> None:
        with suppress(OSError):
            async with await Connection.open(port) as connection:
                connection.send(path, invented())
                await asyncio.sleep(ABANDONED)

    await begin(port, path, key)
    alone = await begin(port, path, key)
    for _ in range(count // AT_ONCE):
        await asyncio.gather(*(abandon() for _ in range(AT_ONCE)))
    return alone, await begin(port, path, key)


def measure(*, full: bool) -> Iterator[str]:
    """Yield the tables for the documentation."""
    connections, asked, count = (400, 10, 4_000) if full else (100, 5, 800)
    sentence, rows, streams = measured(), [], []
    with database(owner="flood") as on:
        [person] = people(1, on)
        for name, template in TARGETS.items():
            with serving(on, OURS, pool="0") as server:
                path = template.format(session=person.session)
                found = asyncio.run(
                    flooded(server.port, path, person.key, connections, asked)
                )
                rows.append([name, *(f"{each:,.1f}" for each in found)])
        for name, path in STREAMS.items():
            with serving(on, OURS, pool="0") as server:
                took = asyncio.run(abandoned(server.port, path, person.key, count))
                streams.append([name, *(f"{each:,.1f}" for each in took)])
    columns = ["flooded", "invented a second", "alone, ms", "median, ms", "longest, ms"]
    sizes = f"{connections} connections flood, and a user asks {asked} times."
    yield f"{sentence} {sizes}\n\n{table(columns, rows)}"
    columns = ["asked", "alone, ms", "after the abandoned requests, ms"]
    yield f"{count:,} requests.\n\n{table(columns, streams)}"
