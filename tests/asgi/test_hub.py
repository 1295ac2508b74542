"""Test how the hub recovers when the bus, the database or a project's code fails."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import OperationalError
from django.test import override_settings
from django.utils import timezone

from session_limit import registry
from session_limit.asgi import database_threads, hub
from session_limit.bus import Bus
from session_limit.models import AccountLimit, UserSession
from session_limit.registry import connected, not_counting
from session_limit.utils.log_once import OutageLog
from tests.asgi.test_sockets import Application, story
from tests.asgi.wire import ENDED, Socket, asked, until, verified

Reason = UserSession.Reason


class Lossy(Bus):
    """A bus that a test can disconnect, and that carries no messages."""

    def __init__(self):
        self.heard = 0
        self.lost = None

    def publish(self, ids):
        """Drop the message."""

    async def subscribe(self):
        self.lost = asyncio.Event()
        self.heard += 1
        yield None
        await self.lost.wait()
        raise ConnectionError("lost")


def test_a_bus_that_was_lost_is_heard_again(ada, laptop, monkeypatch, caplog):
    """The hub subscribes again, and reports what ended while the bus was away."""
    caplog.set_level("INFO", "session_limit")
    monkeypatch.setattr(hub, "SWEEP", 3600.0)
    monkeypatch.setattr(hub, "BACK_OFF", (0.05, 0.05))
    laptop.sign_in()

    @story
    async def _():
        with override_settings(SESSION_LIMIT_BUS={"BACKEND": f"{__name__}.Lossy"}):
            lossy = hub.bus.get_bus()
            async with Socket(Application(), laptop) as socket:
                await socket.accepted()
                await verified()
                await until(lambda: lossy.heard)
                await asked()
                await sync_to_async(registry.end_all)(ada, Reason.REVOKED)
                assert await socket.is_quiet()
                lossy.lost.set()
                assert await socket.closed() == (ENDED, "revoked")

    texts = [r.getMessage() for r in caplog.records if "bus" in r.getMessage()]
    trouble = "No connection to the bus; the sweep finds endings"
    assert texts == [
        f"{trouble}: SESSION_LIMIT_BUS, Lossy (ConnectionError).",
        f"Recovered: {trouble}.",
    ]


class Flapping(Lossy):
    """A bus that loses each connection as soon as it is made."""

    async def subscribe(self):
        self.heard += 1
        yield None
        raise ConnectionError("redis://:secret@broker/0")


class Unmade(Bus):
    """A bus that fails when it is created."""

    def __init__(self):
        raise ValueError("secret")


@pytest.fixture
def told(caplog):
    """Return a function that returns the log records about the bus."""
    return lambda: [r for r in caplog.records if "bus" in r.getMessage()]


def test_a_bus_that_flaps_is_connected_to_less_and_less_often(
    ada, laptop, monkeypatch, told
):
    """
    The hub pauses longer each time before it connects to a bus that fails again.

    Every connection makes it read all connected sessions.
    """
    monkeypatch.setattr(hub, "BACK_OFF", (0.02, 0.64))
    laptop.sign_in()

    @story
    async def _():
        with override_settings(SESSION_LIMIT_BUS={"BACKEND": f"{__name__}.Flapping"}):
            async with Socket(Application(), laptop) as socket:
                await socket.accepted()
                await asyncio.sleep(1.5)
                # The pauses double from 0.02 s to 0.64 s, each shortened by up to a
                # half. Without the back-off there would be about 80 connections.
                assert 2 <= hub.bus.get_bus().heard <= 10

    assert all("secret" not in r.getMessage() and r.exc_info is None for r in told())


def test_a_bus_that_cannot_be_made_leaves_the_sweep(ada, laptop, told, monkeypatch):
    monkeypatch.setattr(hub, "SWEEP", 0.05)
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            with override_settings(SESSION_LIMIT_BUS={"BACKEND": f"{__name__}.Unmade"}):
                await socket.accepted()
                await until(told)
            await sync_to_async(registry.end_all)(ada, Reason.REVOKED)
            assert await socket.closed() == (ENDED, "revoked")

    [record] = told()
    assert record.getMessage().endswith("endings: SESSION_LIMIT_BUS (ValueError).")
    assert record.exc_info is None


def test_a_database_that_is_away_is_one_line(caplog):
    outage = OutageLog("Endings cannot be read", expected=hub._UNANSWERED)
    outage.begin(OperationalError("postgresql://ada:secret@db/members"))
    [record] = caplog.records
    assert record.getMessage() == "Endings cannot be read: OperationalError."
    assert record.exc_info is None


def test_a_rule_that_fails_keeps_nobody_else_from_being_verified(
    ada, bob, laptop, phone, monkeypatch, swept
):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    poison = laptop.row.pk
    real = connected.standings

    def standings(ids, **kwargs):
        if poison in ids:
            raise ZeroDivisionError("somebody's code")
        return real(ids, **kwargs)

    @story
    async def _():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connected, "standings", standings)
            async with (
                Socket(Application(), laptop) as adas,
                Socket(Application(), phone) as bobs,
            ):
                await adas.accepted()
                await bobs.accepted()
                await sync_to_async(registry.end_all)(bob, Reason.REVOKED)
                assert await bobs.closed() == (ENDED, "revoked")


def test_a_connection_that_was_closed_at_its_other_end():
    """A call over a closed connection is repeated once, over a new connection."""
    calls = []

    def failing(times):
        calls.append(times)
        if len(calls) <= times:
            raise OperationalError("server closed the connection")
        return "answer"

    @story
    async def _():
        thread = database_threads.DatabaseThread()
        assert await thread.run(failing, 1) == "answer"
        calls.clear()
        with pytest.raises(OperationalError):
            await thread.run(failing, 2)
        assert len(calls) == 2
        thread.close()


@pytest.mark.skipif(
    settings.ENGINE == "signed_cookies", reason="this engine stores nothing under a key"
)
def test_a_rotation_while_it_is_looked_at(ada, laptop, monkeypatch):
    """
    A session counts as live if its key was rotated while the hub read it.

    Nothing is stored under the old key any more, and the hub has not read the new one.
    The next look decides.
    """
    laptop.sign_in()
    row = UserSession.objects.filter(pk=laptop.row.pk)
    # The password was changed since, and the session was stored long ago.
    earlier = timezone.now() - timedelta(hours=1)
    row.update(credentials="outdated", key_recorded_at=earlier)

    def rotated(keys):
        row.update(session_key="another" + keys[0][7:])
        return {key: {} for key in keys}

    id = row.get().pk
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(not_counting, "read_many", rotated)
        assert connected.standings([id], thorough=True)[id].is_live
    with pytest.MonkeyPatch.context() as patch:
        deleted = {row.get().session_key: {}}
        patch.setattr(not_counting, "read_many", lambda keys: deleted)
        found = connected.standings([id], thorough=True)[id]
    assert found == connected.Standing(None, Reason.EXPIRED, is_recorded=False)
    assert row.get().is_live
    connected.record_endings([id])
    assert row.get().ended_reason == Reason.EXPIRED


def test_an_account_without_a_row(ada, laptop):
    """
    A session is live even if its account has no ``AccountLimit`` row.

    The session may have been recorded by hand, or somebody may have deleted the row.
    """
    laptop.sign_in()
    id = laptop.row.pk
    AccountLimit.objects.all().delete()
    assert connected.standings([id], thorough=True)[id].is_live


def test_the_threads_of_a_closed_loop_end():
    async def ask():
        asking = hub.current_hub().strangers
        await asking.run(int)
        return asking._worker

    workers = [asyncio.run(ask()) for _ in range(3)]
    for worker in workers[:2]:
        worker.join(5)
    # Each new hub ends the threads of closed loops, and no hub came after the last.
    assert [worker.is_alive() for worker in workers] == [False, False, True]
