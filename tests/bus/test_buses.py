"""Test that every bus delivers what is published, and reports what it may have lost."""

import asyncio
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import connection, transaction
from django.test import override_settings
from django.utils.module_loading import import_string

from session_limit import bus, registry
from session_limit.bus import get_bus, messages, publisher
from session_limit.bus.memory import MAX_WAITING
from session_limit.checks.settings import check_settings
from session_limit.models import UserSession
from tests.bus.buses import POSTGRES, setting
from tests.drivers import library
from tests.stories.people import Visitor, make_user

# In seconds: how long a failing bus may delay a sign-in.
BOUND = 0.25
PATIENCE = 5.0

on_postgresql = pytest.mark.skipif(
    settings.DB != "postgresql", reason="the database is not PostgreSQL"
)
every_bus = pytest.mark.parametrize(
    "name",
    [
        "memory",
        pytest.param("redis", marks=pytest.mark.services("redis")),
        pytest.param("postgres", marks=on_postgresql),
    ],
)
crossing = pytest.mark.parametrize(
    "name",
    [
        pytest.param("redis", marks=pytest.mark.services("redis")),
        pytest.param("postgres", marks=on_postgresql),
    ],
)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def used(name, channel):
    with override_settings(SESSION_LIMIT_BUS=setting(name, channel)):
        yield get_bus()


@asynccontextmanager
async def listening(used):
    """Yield a function that returns the next ids that arrive."""
    async with aclosing(used.subscribe()) as heard:
        assert await asyncio.wait_for(anext(heard), PATIENCE) is None
        yield lambda: asyncio.wait_for(anext(heard), PATIENCE)


@every_bus
def test_what_is_published_is_heard(used):
    ids = [uuid4() for _ in range(3)]

    @async_to_sync
    async def listen():
        async with listening(used) as heard:
            await sync_to_async(bus.publish)(ids)
            assert await heard() == ids
            await sync_to_async(bus.publish)(ids[:1])
            assert await heard() == ids[:1]

    listen()


@every_bus
def test_ten_thousand_at_once(used):
    ids = [uuid4() for _ in range(10_000)]

    @async_to_sync
    async def listen():
        async with listening(used) as heard:
            await sync_to_async(used.publish)(ids)
            found = []
            while len(found) < len(ids):
                found += await heard()
            assert found == ids

    listen()


@every_bus
def test_nobody_listens(used):
    bus.publish([uuid4()])


PUBLISHER = """
import sys
import uuid
from session_limit.bus.{module} import {name}
{name}(**{options!r}).publish([uuid.UUID(sys.argv[1])])
"""


@pytest.mark.services("redis")
@pytest.mark.parametrize("name", ["redis"])
def test_another_process_is_heard(used):
    """
    A Redis bus delivers what another process publishes.

    The PostgreSQL bus publishes over Django's connection. A benchmark tests it across
    processes.
    """
    options = {"url": used.urls, "channel": used.channel}
    code = PUBLISHER.format(module="redis", name="RedisBus", options=options)
    id = uuid4()

    @async_to_sync
    async def listen():
        async with listening(used) as heard:
            await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", code, id.hex], check=True
            )
            assert await heard() == [id]

    listen()


@crossing
def test_who_loses_the_connection_is_told(used):
    """
    A subscriber that loses its connection gets an error.

    The hub then subscribes again and verifies every session.
    """

    @async_to_sync
    async def listen():
        others = await sync_to_async(listeners)(used)
        async with listening(used) as heard:
            await sync_to_async(cut)(used, others)
            with pytest.raises(Exception, match=r"(?i)clos|lost|terminat"):
                await heard()
        async with listening(used) as heard:
            id = uuid4()
            await sync_to_async(used.publish)([id])
            assert await heard() == [id]

    listen()


def listeners(used):
    """Return the ids of the connections to Redis that listen, also of other runs."""
    if not hasattr(used, "urls"):
        return set()
    return {each["id"] for each in used._publishers[0].client_list(_type="pubsub")}


def cut(used, others):
    """Let the server close the connections that listen to this bus, not the others."""
    if hasattr(used, "urls"):
        for id in listeners(used) - others:
            used._publishers[0].client_kill_filter(_id=id)
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE %s AND pid <> pg_backend_pid()",
            [f'LISTEN "{used.channel}"%'],
        )


@crossing
def test_what_others_write_is_nothing(used):
    @async_to_sync
    async def listen():
        async with listening(used) as heard:
            await sync_to_async(write)(used, "no id")
            assert await heard() == []

    listen()


def write(used, message):
    if hasattr(used, "urls"):
        used._publishers[0].publish(used.channel, message)
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [used.channel, message])


@pytest.mark.parametrize("message", [b"\xff", "", ",", "x" * 32, "é", "1" * 33])
def test_what_is_no_message(message):
    assert messages.decode(message) == []


def test_messages_are_small_enough_for_postgresql():
    ids = [uuid4() for _ in range(1001)]
    encoded = list(messages.encode(ids))
    assert all(len(message) < 8000 for message in encoded)
    assert [id for message in encoded for id in messages.decode(message)] == ids


@pytest.mark.parametrize("name", ["memory"])
def test_who_falls_behind_looks_at_everybody(used):
    @async_to_sync
    async def listen():
        async with listening(used) as heard:
            for _ in range(MAX_WAITING + 2):
                used.publish([uuid4()])
            await asyncio.sleep(0)
            assert await heard() is None

    listen()


# Publishing


@contextmanager
def server(behave):
    """Run a server that passes each client to ``behave()``, and yield its port."""
    with (
        ExitStack() as clients,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):

        def serve():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                behave(clients.enter_context(client))

        kept = threading.Thread(target=serve, daemon=True)
        kept.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    kept.join()


@contextmanager
def nobody():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield port


def silent():
    """Run a server that never answers."""
    return server(lambda client: None)


def rude():
    return server(lambda client: client.close())


def full():
    def behave(client):
        client.recv(1000)
        client.sendall(
            b"-OOM command not allowed when used memory > 'maxmemory'.\r\n" * 5
        )

    return server(behave)


@pytest.mark.services("redis")
@pytest.mark.parametrize("how", [nobody, silent, rude, full])
def test_a_bus_that_fails_costs_a_sign_in_little_and_fails_none(
    how, channel, caplog, monkeypatch
):
    make_user("ada")
    laptop, phone = Visitor(), Visitor()
    laptop.sign_in()
    with how() as port:
        failing = setting("redis", channel)
        failing["OPTIONS"]["url"] = f"redis://127.0.0.1:{port}/0"
        with override_settings(SESSION_LIMIT_BUS=failing):
            took = []
            real = bus.publish

            def timed(ids):
                started = time.monotonic()
                real(ids)
                took.append(time.monotonic() - started)

            monkeypatch.setattr(bus, "publish", timed)
            for visitor in (phone, laptop, phone):
                assert visitor.sign_in().status_code == 302
    assert [row.ended_reason for row in UserSession.objects.ended()] == [
        "displaced"
    ] * 3
    first, *others = took
    assert first < BOUND
    # After the failure, the package does not ask the bus again for a while.
    assert max(others) < 0.01
    said = [r for r in caplog.records if "The bus does not carry" in r.message]
    assert len(said) == 1


def test_it_is_asked_again_after_a_while(monkeypatch, caplog):
    caplog.set_level("INFO", "session_limit")
    asked = []

    class Failing(bus.Bus):
        works = False

        def publish(self, ids):
            asked.append(ids)
            if not self.works:
                raise ConnectionError("away")

    now = [100.0]
    monkeypatch.setattr(publisher.time, "monotonic", lambda: now[0])
    publishing, failing = publisher.Publisher(), Failing()
    publishing.publish(failing, [1])
    publishing.publish(failing, [2])
    now[0] += publisher.PAUSE
    publishing.publish(failing, [3])
    publishing.publish(failing, [4])
    failing.works = True
    now[0] += publisher.PAUSE
    publishing.publish(failing, [5])
    publishing.publish(failing, [6])
    assert asked == [[1], [3], [5], [6]]
    texts = [record.getMessage() for record in caplog.records]
    assert [text.split(" that")[0] for text in texts] == [
        "The bus does not carry",
        "Recovered: The bus does not carry",
    ]


class Away(bus.Bus):
    """A bus that cannot reach its broker, and quotes its password in the error."""

    def publish(self, ids):
        raise ConnectionError("redis://:secret@broker:6379/0 is away")


class Described(Away):
    address = "redis://broker:6379/0"


class Misnamed(Away):
    """A bus over a database that does not exist."""

    @property
    def address(self):
        raise LookupError("secret")


@pytest.mark.parametrize(
    ("away", "address"),
    [
        (Away(), ", Away"),
        (Described(), ", redis://broker:6379/0"),
        (Misnamed(), ""),
    ],
)
def test_its_failure_is_one_line_without_a_password(away, address, caplog):
    publisher.Publisher().publish(away, [1])
    [record] = caplog.records
    assert (record.levelname, record.exc_info) == ("ERROR", None)
    [line] = record.getMessage().splitlines()
    assert f"SESSION_LIMIT_BUS{address} (ConnectionError)." in line
    assert "secret" not in line


@on_postgresql
def test_the_address_of_a_database_has_no_password(monkeypatch):
    server = {"HOST": "db.internal", "PORT": "", "NAME": "shop", "PASSWORD": "secret"}
    for name, value in server.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    used = import_string(POSTGRES)()
    assert used.address == "postgresql://db.internal:5432/shop"


@every_bus
def test_the_row_has_ended_when_it_is_heard(used):
    """The bus delivers an ending only after the commit, and never after a rollback."""
    ada, laptop = make_user("ada"), Visitor()
    laptop.sign_in()
    row = laptop.row

    def roll_back():
        with transaction.atomic():
            registry.end([row.pk], UserSession.Reason.REVOKED)
            transaction.set_rollback(True)

    @async_to_sync
    async def listen():
        async with listening(used) as heard:
            await sync_to_async(roll_back)()
            await sync_to_async(registry.end_all)(ada, UserSession.Reason.REVOKED)
            assert await heard() == [row.pk]
            assert not await asyncio.to_thread(is_live_elsewhere, row.pk)

    listen()


def is_live_elsewhere(id):
    """Return whether another connection reads the session as live."""
    try:
        return UserSession.objects.get(pk=id).is_live
    finally:
        connection.close()


@pytest.mark.services("redis")
def test_requests_in_threads_of_their_own_do_not_connect_anew(channel):
    """
    Threads share the publisher's connection.

    Under ASGI each request has its own thread, and connecting takes longer than
    publishing.
    """
    redis = library("session_limit.bus.redis")
    made = redis.RedisBus(url=settings.REDIS_URL, channel=channel)
    connections = set()

    def publish():
        made.publish([uuid4()])
        connections.add(made._publishers[0].client_id())

    for _ in range(3):
        thread = threading.Thread(target=publish)
        thread.start()
        thread.join()
    assert len(connections) == 1
    made._publishers[0].close()


@pytest.mark.services("postgresql")
@pytest.mark.skipif(settings.DB == "postgresql", reason="the database is PostgreSQL")
def test_a_database_that_is_not_postgresql(channel):
    with override_settings(SESSION_LIMIT_BUS=setting("postgres", channel)):
        assert [message.id for message in check_settings()] == ["session_limit.E024"]
