"""Test what open pages and sockets learn while database connections stall."""

from __future__ import annotations

import asyncio
import threading
import time as clock_time

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connection, connections

from session_limit import bus, registry
from session_limit.asgi import database_threads, database_worker, hub
from session_limit.models import UserSession
from session_limit.registry import connected
from tests.asgi.test_events import opened, stream, told
from tests.asgi.test_responses import rest
from tests.asgi.test_sockets import Application, end, story
from tests.asgi.wire import ENDED, Response, Socket, asked, locked, until, verified
from tests.faults.asking import gateway_status
from tests.interleavings.gates import on

pytestmark = on("postgresql", "mariadb")

Reason = UserSession.Reason


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Shorten the bound of each wait."""
    monkeypatch.setattr(database_threads, "PATIENCE", 0.5)


async def warm(visitor):
    """Let each of the hub's threads open its database connection."""
    await verified()
    assert await gateway_status(visitor) == 200


def test_a_displaced_socket_is_closed(ada, laptop, phone, network, told_by):
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await warm(laptop)
            network.stall()
            await sync_to_async(phone.sign_in)()
            assert await socket.closed() == (ENDED, "displaced")


def test_a_displaced_page_is_told(ada, laptop, phone, network, told_by):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await warm(laptop)
            network.stall()
            await sync_to_async(phone.sign_in)()
            assert (await told(response))["reason"] == "displaced"


def test_a_displaced_stream_is_cut(ada, laptop, phone, network, told_by):
    laptop.sign_in()

    @story
    async def _():
        async with Response(ASGIHandler(), laptop, "/feed/") as response:
            await response.started()
            await warm(laptop)
            network.stall()
            await sync_to_async(phone.sign_in)()
            assert await rest(response) is False


def test_the_gateway_answers_the_session_that_stays(ada, laptop, phone, network):
    laptop.sign_in()

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await warm(laptop)
            network.stall()
            await sync_to_async(phone.sign_in)()
            answers = await asyncio.gather(*[gateway_status(phone) for _ in range(20)])
            assert answers == [200] * 20
            assert await gateway_status(laptop) == 401


def test_another_users_page_opens(ada, bob, laptop, phone, network):
    laptop.sign_in("ada")
    phone.sign_in("bob")

    @story
    async def _():
        async with stream(laptop) as adas:
            await opened(adas)
            await warm(laptop)
            network.stall()
            async with stream(phone) as bobs:
                await opened(bobs)


def test_it_may_happen_often(ada, bob, laptop, phone, network, told_by):
    """Connections may stall more than ``MAX_ABANDONED`` times, because threads end."""
    laptop.sign_in("ada")
    phone.sign_in("bob")

    @story
    async def _():
        async with stream(phone) as bobs:
            await opened(bobs)
            for _ in range(database_threads.MAX_ABANDONED + 2):
                await asked()
                network.stall()
                await gateway_status(phone)
            async with Socket(Application(), laptop) as socket:
                await socket.accepted()
                await end(laptop)
                assert await socket.closed() == (ENDED, "revoked")
            for thread in (hub.current_hub()._asking, hub.current_hub().judging):
                await until(lambda thread=thread: not thread._abandoned)


def test_a_connection_that_opens_after_its_thread_was_abandoned(network, monkeypatch):
    """An abandoned thread ends even if its connection opens, and stalls, afterwards."""
    wrapper = type(connections["default"])
    opens, has_given_up = wrapper.get_new_connection, threading.Event()

    def open_late(self, parameters):
        has_given_up.wait(5)
        opened = opens(self, parameters)
        network.stall()
        return opened

    monkeypatch.setattr(wrapper, "get_new_connection", open_late)
    monkeypatch.setattr(database_worker, "CANCELLED", 0.05)

    @story
    async def _():
        thread = database_threads.DatabaseThread()
        with pytest.raises(database_threads.TookTooLong):
            await thread.run(UserSession.objects.count)
        # Everything that began when the thread was abandoned has now ended.
        await asyncio.sleep(0.3)
        has_given_up.set()
        await until(lambda: not thread._abandoned)
        thread.close()


def test_connections_that_are_cut_or_refused(ada, laptop, phone, network, swept):
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await warm(laptop)
            network.refuse = True
            network.cut()
            await sync_to_async(phone.sign_in)()
            assert await socket.is_quiet(0.5)
            network.refuse = False
            assert await socket.closed() == (ENDED, "displaced")


@pytest.fixture
def unreadable(network, monkeypatch):
    """Return a function after which no call to the database is answered."""
    monkeypatch.setattr(hub, "GIVE_UP_AFTER", 1.0)

    def begin():
        network.stall_new = True
        network.stall()

    return begin


def test_what_the_bus_names_and_nobody_can_read_is_closed(
    ada, laptop, phone, unreadable, monkeypatch
):
    """An unreadable session that the bus names counts as ended, without a reason."""
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket, stream(laptop) as response:
            await socket.accepted()
            await opened(response)
            await warm(laptop)
            unreadable()
            began = clock_time.monotonic()
            await sync_to_async(phone.sign_in)()
            assert await socket.closed() == (ENDED, "")
            assert (await told(response))["reason"] is None
            assert clock_time.monotonic() - began >= 1.0


def test_what_the_bus_does_not_name_stays(ada, laptop, unreadable, nobody_tells):
    """A bus that reconnects makes the hub read every session, and ends none."""
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await warm(laptop)
            unreadable()
            hub.current_hub()._hint(None)
            assert await socket.is_quiet(2.0)


def test_what_the_bus_names_and_is_read_stays(ada, laptop, network, monkeypatch):
    monkeypatch.setattr(hub, "GIVE_UP_AFTER", 0.5)
    laptop.sign_in()
    id = laptop.row.pk

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await warm(laptop)
            await sync_to_async(bus.publish)([id])
            assert await socket.is_quiet(1.0)


@pytest.mark.parametrize("reads", [1, 2])
def test_a_hint_that_arrives_before_the_row(
    ada, laptop, nobody_tells, monkeypatch, reads
):
    """
    A socket closes although the bus names its session before the row shows the ending.

    A bus may be faster than the replication between the nodes of a cluster.
    """
    monkeypatch.setattr(hub, "REREAD_AFTER", (0.3, 1.0))
    laptop.sign_in()
    id = laptop.row.pk
    read = []
    real = connected.standings

    def standings(ids, **kwargs):
        found = real(ids, **kwargs)
        read.append(ids)
        return found

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(connected, "standings", standings)
                hub.current_hub()._hint([id])
                await until(lambda: len(read) >= reads)
                await sync_to_async(registry.end)([id], Reason.REVOKED)
                assert await socket.closed() == (ENDED, "revoked")


# The number of statements, of any connection, that wait for a lock in the server.
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx"
    " WHERE trx_state = 'LOCK WAIT'",
}


def waiting():
    with connection.cursor() as cursor:
        cursor.execute(WAITING[connection.vendor])
        return cursor.fetchone()[0]


def test_a_statement_that_is_given_up_ends_in_the_server(ada, laptop, monkeypatch):
    """
    A statement that is given up also ends in the server.

    Otherwise such statements use up the server's connections until the lock is
    released.
    """
    monkeypatch.setattr(database_threads, "PATIENCE", 1.0)
    laptop.sign_in()
    rows = UserSession.objects.filter(pk=laptop.row.pk)

    @story
    async def _():
        thread = database_threads.DatabaseThread()
        with locked(rows):
            writes = asyncio.ensure_future(thread.run(rows.update, device="phone"))
            assert await counted(waiting, lambda number: number > 0)
            with pytest.raises(database_threads.TookTooLong):
                await writes
            assert await counted(waiting, lambda number: number == 0)
        thread.close()


async def counted(waiting, holds):
    """Return whether the number of waiting statements soon satisfies ``holds``."""
    for _ in range(25):
        if holds(await sync_to_async(waiting)()):
            return True
        # InnoDB refreshes this table only if the last query was more than 0.1 s ago.
        await asyncio.sleep(0.2)
    return False


@pytest.mark.skipif(
    connection.vendor != "postgresql",
    reason="only Django's PostgreSQL backend has a pool",
)
def test_the_projects_pool_is_left_to_its_views(monkeypatch):
    """
    The hub's threads use no connection of the project's pool.

    The views may need all of them, and a stall would leave the pool none that works.
    """
    options = {**connection.settings_dict["OPTIONS"], "pool": True}
    monkeypatch.setitem(connections.settings["default"], "OPTIONS", options)

    @story
    async def _():
        thread = database_threads.DatabaseThread()
        assert await thread.run(lambda: connections["default"].pool) is None
        thread.close()
