"""
Measure what signed-in people wait for during a flood: ``python -m benchmarks.flood``.

Some hundred connections send invented cookies as fast as they are answered. Meanwhile
somebody with a live session asks. The same flood goes to an application that does
nothing, to one that makes the same round trip to the database and decides nothing, and
to a Django view. Then thousands of event streams are asked for and abandoned at once.

``--publish`` writes ``docs/explanation/flood.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import statistics
import string
import time
from collections.abc import AsyncIterator
from typing import Any

from benchmarks import machine, results
from benchmarks.databases import database
from benchmarks.environments import ROOT
from benchmarks.plays.__main__ import APPLICATION, GATEWAY, people
from benchmarks.push.report import machine as sentence
from benchmarks.push.server import serving

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SESSIONS = GATEWAY.removesuffix("gateway/")
EVENTS = f"{SESSIONS}events/"
# What is flooded; the id of a session is put into the path if it has to be there.
TARGETS = {
    "an ASGI application that answers at once": "/empty/",
    "an ASGI application that makes the same round trip": "/bare/{id}",
    "a Django view that reads the session": f"{SESSIONS}status/",
    "the gateway": GATEWAY,
}
STREAMS = {
    "an ASGI application that answers at once": "/empty/",
    "the event stream": EVENTS,
}
# How many are abandoned at the same moment.
AT_ONCE = 400
# In seconds: how long after it was sent.
ABANDONED = 0.05
# In seconds: how long the flood goes on before anybody asks.
BEFORE = 2.0
# In seconds, between two questions.
BETWEEN = 0.1
PAGE = ROOT / "docs" / "explanation" / "flood.md"
TEXT = """\
# A flood of invented cookies

Written by `python -m benchmarks.flood --publish`. {machine}

{connections} connections send invented cookies as fast as they are answered, to one
uvicorn process on PostgreSQL. Meanwhile a client with a live session asks {asked}
times, over a connection of its own. Client and server share the cores.

| what is flooded | invented a second | alone, ms | in the flood: median | longest |
|---|---|---|---|---|
{invented}

One process answers all connections in turn, so whatever it serves, a question waits for
what has arrived before it. The gateway adds no wait for a session that the process
has found live before. One thread answers questions about such sessions, and another
one questions with unknown cookies. While those wait for their thread, the process is
free.

{abandoned:,} requests with invented cookies are abandoned 50 ms after they were sent.
Then a client with a live session asks, and waits until the answer begins.

| what is asked | alone, ms | after the abandoned ones, ms |
|---|---|---|
{next}

The package drops a question that its client has abandoned.
"""


def invented() -> str:
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=32))


def request(path: str, key: str) -> bytes:
    head = f"GET {path} HTTP/1.1", "Host: x", f"Cookie: sessionid={key}", "", ""
    return "\r\n".join(head).encode()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask(connection: Connection, path: str, key: str) -> float:
    """Return after how many milliseconds it was answered, wholly."""
    reader, writer = connection
    began = time.perf_counter()
    writer.write(request(path, key))
    head = await reader.readuntil(b"\r\n\r\n")
    if b"chunked" in head:
        await reader.readuntil(b"0\r\n\r\n")
    else:
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    return (time.perf_counter() - began) * 1000


async def flooded(
    port: int, path: str, key: str, connections: int, asked: int
) -> dict[str, float]:
    count = 0

    async def flood() -> None:
        nonlocal count
        async with connected(port) as connection:
            while True:
                await ask(connection, path, invented())
                count += 1

    async def ask_all() -> list[float]:
        took = []
        async with connected(port) as connection:
            for _ in range(asked):
                took.append(await ask(connection, path, key))
                await asyncio.sleep(BETWEEN)
        return took

    # What the first question takes once is no flood's.
    await ask_all()
    alone = await ask_all()
    floods = [asyncio.create_task(flood()) for _ in range(connections)]
    await asyncio.sleep(BEFORE)
    before, began = count, time.perf_counter()
    took = await ask_all()
    rate = (count - before) / (time.perf_counter() - began)
    for task in floods:
        task.cancel()
    await asyncio.gather(*floods, return_exceptions=True)
    return {
        "rate": rate,
        "alone_ms": statistics.median(alone),
        "median_ms": statistics.median(took),
        "longest_ms": max(took),
    }


async def begin(port: int, path: str, key: str) -> float:
    """Return after how many milliseconds an answer begins, over a new connection."""
    async with connected(port) as (reader, writer):
        began = time.perf_counter()
        writer.write(request(path, key))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    return (time.perf_counter() - began) * 1000


async def abandoned(port: int, path: str, key: str, count: int) -> dict[str, float]:
    """Ask ``count`` times and abandon that; return what the next question takes."""

    async def abandon() -> None:
        with contextlib.suppress(OSError):
            async with connected(port) as (_, writer):
                writer.write(request(path, invented()))
                await asyncio.sleep(ABANDONED)

    await begin(port, path, key)
    alone = await begin(port, path, key)
    for _ in range(count // AT_ONCE):
        await asyncio.gather(*(abandon() for _ in range(AT_ONCE)))
    return {"alone_ms": alone, "after_ms": await begin(port, path, key)}


def measure(connections: int, asked: int, count: int) -> dict[str, Any]:
    rows, streams = [], []
    with database("postgresql", "flood") as made:
        [[key, id, _]] = people(1, made.environment)
        for name, path in TARGETS.items():
            with serving(made.environment, APPLICATION) as server:
                address = path.format(id=id)
                took = flooded(server.port, address, key, connections, asked)
                rows.append({"target": name, **asyncio.run(took)})
        for name, path in STREAMS.items():
            with serving(made.environment, APPLICATION) as server:
                took = abandoned(server.port, path, key, count)
                streams.append({"target": name, **asyncio.run(took)})
    sizes = {"connections": connections, "asked": asked, "abandoned": count}
    return {**sizes, "rows": rows, "streams": streams}


def text(found: dict[str, Any]) -> str:
    """Return the page."""
    return TEXT.format(
        **found,
        machine=sentence(found),
        invented=_rows(found["rows"], "rate", "alone_ms", "median_ms", "longest_ms"),
        next=_rows(found["streams"], "alone_ms", "after_ms"),
    )


def _rows(found: list[dict[str, Any]], *names: str) -> str:
    return "\n".join(
        f"| {row['target']} | {' | '.join(f'{row[name]:,.1f}' for name in names)} |"
        for row in found
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish", action="store_true")
    publishes = parser.parse_args().publish
    found = machine.describe("python -m benchmarks.flood") | measure(400, 10, 4_000)
    results.save("flood", found, results.PUBLISHED if publishes else results.QUICK)
    print(text(found))
    if publishes:
        PAGE.write_text(text(found))


if __name__ == "__main__":
    main()
