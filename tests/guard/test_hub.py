"""The hub: what it hears, what it loses, and how it finds that out."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.test import override_settings

from session_limit import registry
from session_limit.bus import Bus
from session_limit.guard import hub, threads
from session_limit.models import UserSession
from tests.guard.test_sockets import Application, story
from tests.guard.wire import ENDED, Socket, asked, until, verified

Reason = UserSession.Reason


class Lossy(Bus):
    """A bus that is lost when it is told to be, and carries nothing meanwhile."""

    def __init__(self):
        self.heard = 0
        self.lost = None

    def publish(self, ids):
        """Lose it."""

    async def subscribe(self):
        self.lost = asyncio.Event()
        self.heard += 1
        yield None
        await self.lost.wait()
        raise ConnectionError("lost")


def test_a_bus_that_was_lost_is_heard_again(ada, laptop, monkeypatch, caplog):
    """And whatever was published meanwhile is known."""
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
    assert texts == [
        "The bus is not heard; the sweep goes on.",
        "Over: The bus is not heard; the sweep goes on.",
    ]


def test_a_rule_that_fails_keeps_nobody_else_from_being_verified(
    ada, bob, laptop, phone, monkeypatch, swept
):
    laptop.sign_in("ada")
    phone.sign_in("bob")
    poison = laptop.row.pk
    real = registry.standings

    def standings(ids, **kwargs):
        if poison in ids:
            raise ZeroDivisionError("somebody's code")
        return real(ids, **kwargs)

    @story
    async def _():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(registry, "standings", standings)
            async with (
                Socket(Application(), laptop) as adas,
                Socket(Application(), phone) as bobs,
            ):
                await adas.accepted()
                await bobs.accepted()
                await sync_to_async(registry.end_all)(bob, Reason.REVOKED)
                assert await bobs.closed() == (ENDED, "revoked")


def test_a_connection_that_was_closed_at_its_other_end():
    """Another is made, once: a database that is away is said to be."""
    calls = []

    def failing(times):
        calls.append(times)
        if len(calls) <= times:
            raise OperationalError("server closed the connection")
        return "answer"

    @story
    async def _():
        thread = threads.DatabaseThread()
        assert await thread.run(failing, 1) == "answer"
        calls.clear()
        with pytest.raises(OperationalError):
            await thread.run(failing, 2)
        assert len(calls) == 2
        thread.close()
