"""
Measure how soon an open page learns that its session ended, and its memory use.

The delay runs from the commit of the displacing sign-in, timed in the server process,
to the arrival of the event in this process. On Linux, both processes read the same
monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import statistics
import sys
import time
import timeit
from collections.abc import Iterator
from typing import Any, Self

from benchmarks.connections import COOKIE, Connection
from benchmarks.contenders import OURS
from benchmarks.environments import ROOT
from benchmarks.figures import measured, percentile, table, verdict
from benchmarks.servers import Person, Server, database, people, serving

PAGE = ROOT / "docs" / "explanation" / "push.md"
BLOCKS = ("push",)

# The number of people to displace, one after another.
PLAYERS = 20
# In seconds. A page that receives no event within this time counts as never told.
PATIENCE = 5.0
# In seconds. A page is open for this time before its session is displaced, so that the
# server has verified the session.
OPEN = 0.02
NAMES = {
    ("memory", 1): "in process (default)",
    ("memory", 2): "the sweep alone (default, another process)",
    ("channels", 2): "a Channels consumer, channels_redis",
}
# Targets: median and 99th percentile in ms, bytes of an idle page, and microseconds of
# an ordinary request.
SOON, SWEEP, WEIGHT, REQUEST = (5, 100), (1200, 1200), 20_000, 20


class Stream:
    """The event stream of a session, as an open page receives it."""

    async def open(self, port: int, key: str) -> Self:
        self.connection = await Connection.open(port)
        self.connection.send("/account/sessions/events/", key)
        await self._until(b"event: live")
        return self

    async def _until(self, wanted: bytes) -> int | None:
        """
        Return the nanosecond when ``wanted`` arrived, or ``None`` if it never did.
        """
        seen = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while part := await self.connection.reader.read(4096):
                    seen += part
                    if wanted in seen:
                        return time.monotonic_ns()
        return None

    async def ended(self) -> int | None:
        return await self._until(b'"reason": "displaced"')

    @property
    def is_misled(self) -> bool:
        """Whether the page received an ending, although its own session is live."""
        return b"ended" in bytes(self.connection.reader._buffer)

    async def close(self) -> None:
        self.connection.writer.close()


class Consumer:
    """A WebSocket to a Channels consumer that waits for the end of a session."""

    is_misled = False

    async def open(self, port: int, key: str) -> Self:
        from websockets.asyncio.client import connect

        headers = {"Cookie": f"{COOKIE}={key}"}
        address = f"ws://127.0.0.1:{port}/"
        self.socket = await connect(address, additional_headers=headers)
        async with asyncio.timeout(PATIENCE):
            await self.socket.recv()
        return self

    async def ended(self) -> int | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.socket.recv()
            return time.monotonic_ns()
        return None

    async def close(self) -> None:
        await self.socket.close()


async def displace(page: Any, person: Person, servers: list[Server]) -> Any:
    """
    Open a page, and end its session by a sign-in elsewhere.

    Return the milliseconds until the page learned of the ending (``None`` if it did
    not), the milliseconds that ``login()`` took, and the key of the new session.
    """
    await page.open(servers[0].port, person.key)
    await asyncio.sleep(OPEN)
    waiting = asyncio.ensure_future(page.ended())
    async with await Connection.open(servers[-1].port) as browser:
        answer = await browser.ask(f"/sign-in/{person.username}/", method="POST")
    assert answer.is_ok, answer.head
    at = await waiting
    await page.close()
    delay = None if at is None else (at - int(answer.header("x-committed"))) / 1e6
    return delay, int(answer.header("x-took")) / 1e6, answer.key


async def measure_pages(
    kind: type, everybody: list[Person], idle: int, count: int, servers: list[Server]
) -> dict[str, Any]:
    """Displace the sessions of pages one by one while ``idle`` others stay open."""

    async def open_all(keys: list[str], stack: contextlib.AsyncExitStack) -> list[Any]:
        pages = []
        for start in range(0, len(keys), 50):
            opening = [
                kind().open(servers[0].port, key) for key in keys[start : start + 50]
            ]
            pages += await asyncio.gather(*opening)
        for page in pages:
            stack.push_async_callback(page.close)
        return pages

    keys = [person.key for person in everybody]
    async with contextlib.AsyncExitStack() as stack:
        # The first pages make the server allocate memory that it does not free.
        async with contextlib.AsyncExitStack() as first:
            await open_all(keys[:PLAYERS], first)
        before = servers[0].memory
        pages = await open_all(keys[PLAYERS : PLAYERS + idle], stack)
        weight = (servers[0].memory - before) / idle
        delays, took = [], []
        for number in range(count):
            person = everybody[number % PLAYERS]
            delay, milliseconds, key = await displace(kind(), person, servers)
            everybody[number % PLAYERS] = Person(
                person.username, key, person.session, person.play
            )
            delays.append(delay)
            took.append(milliseconds)
        misled = sum(page.is_misled for page in pages)
    came = [delay for delay in delays if delay is not None]
    return {
        "processes": len(servers),
        "idle": idle,
        "displaced": count,
        "p50": statistics.median(came),
        "p99": percentile(came, 99),
        "max": max(came),
        "never": len(delays) - len(came),
        "misled": misled,
        "weight": weight,
        "sign_in": statistics.median(took),
    }


def plan(most: int) -> list[tuple[str, int, int]]:
    """Return the bus and the numbers of processes and idle pages of each case."""
    some = min(1000, most)
    several = sorted({1, some, most})
    rows = [("memory", 1, idle) for idle in several] + [("memory", 2, some)]
    for bus in ("redis", "postgres"):
        rows += [(bus, 1, 1), *((bus, 2, idle) for idle in several)]
    return [*rows, ("channels", 2, 1), ("channels", 2, some)]


def cells(found: dict[str, Any]) -> list[object]:
    names = ("processes", "idle", "displaced", "p50", "p99", "max", "never", "misled")
    return [
        found["by"],
        *(
            f"{found[name]:.1f}" if isinstance(found[name], float) else found[name]
            for name in names
        ),
        f"{found['weight'] / 1000:.1f}" if found["idle"] >= 200 else "",
        f"{found['sign_in']:.1f}",
    ]


def missed(rows: list[dict[str, Any]], request: float) -> list[str]:
    """Return a sentence for each target that this package missed."""
    misses = [f"a request takes {request:.1f} µs"] if request > REQUEST else []
    for row in rows:
        name = f"{row['by']} beside {row['idle']}"
        if row["bus"] == "channels":
            continue
        most = SWEEP if row["by"] == NAMES["memory", 2] else SOON
        if row["p50"] > most[0] or row["p99"] > most[1]:
            misses.append(f"{name} ({row['p50']:.1f} / {row['p99']:.1f} ms)")
        if row["never"] or row["misled"]:
            misses.append(f"{name}: {row['never']} never, {row['misled']} misled")
        if row["idle"] >= 1000 and row["weight"] > WEIGHT:
            misses.append(f"{name}: {row['weight']:,.0f} bytes a page")
    return misses


async def requests() -> tuple[float, float]:
    """
    Measure how many microseconds ``SessionGuard`` adds to an ordinary request.

    Return the figures for requests with and without a session cookie.
    """
    from session_limit.asgi import SessionGuard

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    async def one(app: Any, headers: list[tuple[bytes, bytes]], count: int) -> float:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        begun = timeit.default_timer()
        for _ in range(count):
            await app(scope, receive, send)
        return (timeit.default_timer() - begun) / count * 1e6

    guarded, none = SessionGuard(application), [(b"host", b"x"), (b"accept", b"*/*")]
    cookie = [*none, (b"cookie", b"sessionid=" + b"k" * 32)]
    asked = ((application, cookie), (guarded, cookie), (guarded, none))
    rounds = [[await one(*each, 20_000) for each in asked] for _ in range(7)]
    # The fastest round is the one that other processes slowed down least.
    bare, *ours = map(min, zip(*rounds, strict=True))
    return ours[0] - bare, ours[1] - bare


def measure(*, full: bool) -> Iterator[str]:
    """
    Yield the table for the documentation. Exits with an error if a page did not learn
    of its ending, or learned of another's.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    most, count = (5000, 1000) if full else (200, 60)
    sentence, rows = measured(), []
    with database(owner="push") as on:
        everybody = people(most + PLAYERS, on)
        for bus, processes, idle in plan(most):
            by = NAMES.get((bus, processes), f"`{bus}`")
            # Measure less often, because the sweep takes up to a second.
            times = count // 10 if by == NAMES["memory", 2] else count
            kind = Consumer if bus == "channels" else Stream
            with contextlib.ExitStack() as stack:
                servers = [
                    stack.enter_context(serving(on, OURS, bus=bus))
                    for _ in range(processes)
                ]
                found = asyncio.run(
                    measure_pages(kind, everybody, idle, times, servers)
                )
            rows.append({"by": by, "bus": bus, **found})
            print(table([], [cells(rows[-1])]).splitlines()[-1], flush=True)
    with_cookie, without = guard_overhead()
    columns = ["by", "processes", "idle", "displaced", "p50 ms", "p99 ms", "max ms"]
    columns += ["never", "misled", "KB an idle page", "`login()` ms"]
    shown = (
        f"`SessionGuard` adds {with_cookie:.1f} µs to an ordinary request with a"
        f" session cookie and {without:.1f} µs to one without."
    )
    parts = [sentence, verdict(missed(rows, with_cookie))]
    yield "\n\n".join([*parts, table(columns, map(cells, rows)), shown])
    if any(row["never"] or row["misled"] for row in rows):
        sys.exit("A page was not told, or was misled.")


def guard_overhead() -> tuple[float, float]:
    from django.conf import settings

    # This measurement needs neither a database nor a project.
    settings.configure(INSTALLED_APPS=[], SECRET_KEY="benchmarks")
    return asyncio.run(requests())
