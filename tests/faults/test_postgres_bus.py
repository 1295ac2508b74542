"""Test the PostgreSQL bus over a connection that stalls."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings

from tests.asgi.wire import until
from tests.drivers import library
from tests.faults.proxy import Proxy
from tests.interleavings.gates import on

postgres = library("session_limit.bus.postgres")
psycopg = library("psycopg")

pytestmark = on("postgresql")

# In seconds: much longer than any wait of the bus in these tests.
LONG = 5.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(postgres, "PATIENCE", 0.3)
    monkeypatch.setattr(postgres, "PING", 0.2)


@pytest.fixture
def network(monkeypatch):
    """Yield a proxy between the bus's subscriber and the database."""
    server = settings.SERVERS["postgresql"]
    connect = psycopg.AsyncConnection.connect
    with Proxy(server["HOST"], int(server["PORT"])) as proxy:

        async def through_proxy(**options):
            return await connect(
                **options | {"host": "127.0.0.1", "port": str(proxy.port)}
            )

        monkeypatch.setattr(psycopg.AsyncConnection, "connect", through_proxy)
        yield proxy


def test_a_stalled_connection_is_given_up(network, channel):
    """
    A subscriber gives up a stalled connection with an error.

    The hub then connects again and reads every session.
    """
    bus = postgres.PostgresBus(channel=channel)

    @async_to_sync
    async def listen():
        async with aclosing(bus.subscribe()) as heard:
            assert await anext(heard) is None
            network.stall()
            with pytest.raises(TimeoutError, match="no longer answers"):
                await asyncio.wait_for(anext(heard), LONG)
        # No task waits for the stalled server any more.
        await until(lambda: len(asyncio.all_tasks()) == 1)
        async with aclosing(bus.subscribe()) as heard:
            assert await asyncio.wait_for(anext(heard), LONG) is None

    listen()


def test_a_connection_that_stalls_as_it_is_made(network, channel):
    network.stall_new = True
    bus = postgres.PostgresBus(channel=channel)

    @async_to_sync
    async def listen():
        async with aclosing(bus.subscribe()) as heard:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(heard), LONG)

    listen()


def test_the_hub_stops_while_the_server_is_asked(network, channel, monkeypatch):
    """Cancelling a subscriber does not wait for a stalled server."""
    monkeypatch.setattr(postgres, "PATIENCE", LONG)
    bus = postgres.PostgresBus(channel=channel)

    @async_to_sync
    async def listen():
        async with aclosing(bus.subscribe()) as heard:
            assert await anext(heard) is None
            network.stall()
            task = asyncio.ensure_future(anext(heard))
            # By then the subscriber has sent its ping.
            await asyncio.sleep(1.0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, LONG / 2)

    listen()
