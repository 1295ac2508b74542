"""Test that a long lock on one account's rows delays nobody else."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.utils import timezone

from session_limit import live_keys, registry
from session_limit.asgi import database_threads
from session_limit.models import AccountLimit, UserSession
from session_limit.registry.connected import record_endings
from session_limit.registry.credentials import note_password_changed
from session_limit.utils.lru import LRU
from tests.asgi.test_events import opened, stream
from tests.asgi.test_sockets import Application, story
from tests.asgi.wire import ENDED, PATIENCE, Socket, locked, recorded, verified
from tests.faults.asking import gateway_status
from tests.interleavings.gates import on
from tests.stories.people import SIGNED_IN, mark_as_installed_later

pytestmark = on("postgresql", "mariadb")

Reason = UserSession.Reason


@pytest.fixture(autouse=True)
def no_way_out(monkeypatch):
    """Keep the hub from abandoning calls that wait for a lock."""
    monkeypatch.setattr(database_threads, "PATIENCE", 60.0)
    monkeypatch.setattr(live_keys, "_verified", LRU(live_keys.MAX_REMEMBERED))


def rows_of(user):
    return UserSession.objects.filter(user_id=user.pk)


@pytest.fixture
def idle(settings):
    """End sessions that make no request for two minutes."""
    settings.SESSION_LIMIT_IDLE_TIMEOUT = 120


async def answers(visitor):
    """Return the status of the gateway's answer, which must come at once."""
    return await asyncio.wait_for(gateway_status(visitor), PATIENCE)


def test_an_expired_session_that_is_locked(
    ada, bob, laptop, phone, idle, time, told_by
):
    """A lock on expired rows delays neither their page, nor others, nor the gateway."""
    phone.sign_in("bob")
    laptop.sign_in("ada")

    @story
    async def _():
        async with (
            Socket(Application(), laptop) as adas,
            Socket(Application(), phone) as bobs,
        ):
            await adas.accepted()
            await bobs.accepted()
            await verified()
            # Otherwise the sweep would find that Bob's session has expired too.
            await sync_to_async(rows_of(bob).update)(
                expires_at=timezone.now() + timedelta(days=1)
            )
            with locked(rows_of(ada)):
                time.advance(200)
                if told_by == "sweep":
                    assert await adas.closed() == (ENDED, "idle")
                assert await answers(laptop) == 401
                assert await answers(phone) == 200
                await sync_to_async(registry.end_all)(bob, Reason.REVOKED)
                assert await bobs.closed() == (ENDED, "revoked")
                assert await answers(phone) == 401

    # The lock kept the hub from recording the ending. The next request does it.
    assert laptop.state == "idle"
    assert rows_of(ada).get().ended_reason == "idle"


def test_a_page_of_an_expired_session_that_is_locked(ada, laptop, idle, time):
    """A page tells why its session expired even if a lock delays the record of it."""
    laptop.sign_in()
    time.advance(200)
    with locked(rows_of(ada)):
        assert laptop.state == "idle"
        assert rows_of(ada).get().is_live
    assert laptop.state == "idle"


def test_a_stale_session_that_is_locked(ada, bob, laptop, phone, nobody_tells):
    """
    A socket of a disabled account closes although its rows are locked.

    No signal reported that the account was disabled.
    """
    laptop.sign_in("ada")
    phone.sign_in("bob")

    @story
    async def _():
        with locked(rows_of(ada)):
            await sync_to_async(type(ada).objects.filter(pk=ada.pk).update)(
                is_active=False
            )
            async with Socket(Application(), laptop) as adas:
                await adas.accepted()
                assert await adas.closed() == (ENDED, "account_disabled")
            assert await answers(laptop) == 401
            assert await answers(phone) == 200
            assert await sync_to_async(lambda: rows_of(ada).get().is_live)()


def test_what_is_not_locked_is_recorded(ada, laptop, time, idle, swept):
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as adas:
            await adas.accepted()
            await verified()
            time.advance(200)
            assert await adas.closed() == (ENDED, "idle")
            await recorded()


@pytest.mark.skipif(
    django_settings.ENGINE == "signed_cookies",
    reason="a socket cannot send the cookie that an adopted session needs",
)
def test_a_session_that_waits_to_be_adopted(ada, bob, laptop, phone):
    """Only the session to be adopted waits for its account's lock."""
    laptop.sign_in("ada")
    phone.sign_in("bob")
    # This creates the account's row, which the test locks.
    note_password_changed(ada)
    mark_as_installed_later(laptop)

    @story
    async def _():
        async with Socket(Application(), laptop) as adas:
            with locked(AccountLimit.objects.filter(pk=ada.pk)):
                async with stream(phone) as bobs:
                    await opened(bobs)
                    assert await answers(phone) == 200
                assert adas.to_client.empty()
            await adas.accepted()

    assert phone.state == SIGNED_IN


@on("postgresql")
def test_a_locked_row_keeps_no_other_ending_from_being_recorded(
    ada, bob, laptop, phone, idle, time
):
    """
    The hub records other endings while one row is locked.

    MariaDB refuses the COMMIT (error 1180), and there the next requests end the
    sessions.
    """
    laptop.sign_in("ada")
    phone.sign_in("bob")
    ids = [visitor.row.pk for visitor in (laptop, phone)]
    time.advance(200)
    with locked(rows_of(ada)):
        record_endings(ids)
    assert rows_of(ada).get().is_live
    assert rows_of(bob).get().ended_reason == Reason.IDLE
