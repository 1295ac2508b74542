"""Open pages are told, from process to process: nobody is missed, or misled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.databases import database
from benchmarks.environments import ROOT
from tests.drivers import library

pytestmark = pytest.mark.services("postgresql", "redis", "servers")

PEOPLE, IDLE, TIMES = 40, 10, 8


@pytest.fixture(scope="module")
def site():
    """A database with people in it; yield its environment, and their keys."""
    library("websockets")
    command = [sys.executable, "-m", "benchmarks.push.project.people", str(PEOPLE)]
    with database("postgresql", "push_test") as made:
        environment = {**made.environment, "DJANGO_SETTINGS_MODULE": PROJECT}
        listed = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            check=True,
            capture_output=True,
            text=True,
        )
        yield environment, dict(line.split() for line in listed.stdout.splitlines())


PROJECT = "benchmarks.push.project.settings"


@pytest.mark.parametrize(
    ("bus", "processes", "soon"),
    # In milliseconds, on a machine that does much else; the sweep takes a second.
    [("memory", 1, 500), ("memory", 2, 2000), ("redis", 2, 500), ("postgres", 2, 500)],
)
def test_everybody_is_told_and_nobody_else(site, bus, processes, soon):
    from benchmarks.push.__main__ import measure
    from benchmarks.push.pages import Stream
    from benchmarks.push.server import serving

    environment, people = site
    with contextlib.ExitStack() as stack:
        given = environment | {"BENCHMARKS_BUS": bus}
        servers = [stack.enter_context(serving(given)) for _ in range(processes)]
        found = asyncio.run(measure(Stream, people, IDLE, TIMES, servers))
        held = Path(f"/proc/{servers[0].pid}/fd")
        asyncio.run(come_and_go(servers[0].port, people, 300))
        # What is left is a connection to the database, or to the bus, or two.
        deadline = time.monotonic() + 10
        while (left := len(list(held.iterdir()))) > 40:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
    assert found["displacements"] == TIMES
    assert (found["never"], found["misled"]) == (0, 0)
    assert found["p50_ms"] < soon


async def come_and_go(port, people, times):
    """Open pages and leave them, without a goodbye."""
    from benchmarks.push.pages import Stream

    keys = list(people.values())
    for start in range(0, times, 50):
        numbers = range(start, start + 50)
        opening = [Stream().open(port, keys[number % len(keys)]) for number in numbers]
        for stream in await asyncio.gather(*opening):
            stream.writer.transport.abort()
