"""Open pages are told, from process to process: none is missed, and none is misled."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from benchmarks.connections import Connection
from benchmarks.contenders import OURS
from benchmarks.push import PLAYERS, Stream, measure_pages
from benchmarks.servers import database, people, serving

pytestmark = pytest.mark.services("postgresql", "redis", "servers")

IDLE, TIMES = 10, 8


@pytest.fixture(scope="module")
def site():
    """Yield the variables of a database, and people in it."""
    with database(owner="push_test") as on:
        yield on, people(PLAYERS + IDLE, on)


@pytest.mark.parametrize(
    ("bus", "processes", "soon"),
    # In milliseconds, on a machine that is busy; the sweep takes a second.
    [("memory", 1, 500), ("memory", 2, 2000), ("redis", 2, 500), ("postgres", 2, 500)],
)
def test_pages_of_an_ended_session_are_told_and_no_others(site, bus, processes, soon):
    on, everybody = site
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(serving(on, OURS, bus=bus)) for _ in range(processes)
        ]
        found = asyncio.run(measure_pages(Stream, everybody, IDLE, TIMES, servers))
        held = Path(f"/proc/{servers[0].pid}/fd")
        asyncio.run(come_and_go(servers[0].port, everybody, 300))
        # The server keeps a few connections to the database and to the bus.
        deadline = time.monotonic() + 10
        while (left := len(list(held.iterdir()))) > 40:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
    assert found["displaced"] == TIMES
    assert (found["never"], found["misled"]) == (0, 0)
    assert found["p50"] < soon


async def come_and_go(port, everybody, times):
    """Open pages, and abort their connections."""
    keys = [person.key for person in everybody]
    for start in range(0, times, 50):
        numbers = range(start, start + 50)
        opening = [Stream().open(port, keys[number % len(keys)]) for number in numbers]
        for stream in await asyncio.gather(*opening):
            stream.connection.writer.transport.abort()


def test_a_page_that_was_told_of_another_session_is_misled():
    async def is_misled(data):
        stream, reader = Stream(), asyncio.StreamReader()
        stream.connection = Connection(reader, None)
        reader.feed_data(data)
        return stream.is_misled

    assert asyncio.run(is_misled(b"event: ended"))
    assert not asyncio.run(is_misled(b": still here"))
