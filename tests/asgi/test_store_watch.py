"""Other code deletes the stored session of a client that is connected."""

from __future__ import annotations

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from session_limit.asgi import database_threads, store_watch
from session_limit.models import UserSession
from session_limit.registry import connected
from session_limit.store import stored_data
from tests import stores
from tests.asgi.test_sockets import Application, signs_in, story
from tests.asgi.wire import ENDED, Socket, recorded, until, verified
from tests.stories.people import (
    SIGNED_IN,
    Visitor,
    long_recorded,
    mark_as_installed_later,
)

pytestmark = stores.KEPT
Reason = UserSession.Reason


@pytest.fixture(autouse=True)
def nothing_else_looks(nobody_tells, monkeypatch):
    monkeypatch.setattr(store_watch, "LOOK", 0.05)


def delete(visitor):
    stores.engine()(visitor.cookie).flush()


def test_a_socket_is_closed(ada, laptop):
    laptop.sign_in()
    long_recorded()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            assert await socket.is_quiet()
            await sync_to_async(delete)(laptop)
            assert await socket.closed() == (ENDED, "expired")
            await recorded()

    (row,) = UserSession.objects.all()
    assert row.ended_reason == Reason.EXPIRED


def test_others_stay_connected(ada, bob, laptop, phone):
    laptop.sign_in()
    phone.sign_in("bob")
    long_recorded()

    @story
    async def _():
        async with Socket(Application(), laptop) as here:
            await here.accepted()
            async with Socket(Application(), phone) as there:
                await there.accepted()
                await sync_to_async(delete)(phone)
                assert await there.closed() == (ENDED, "expired")
                assert await here.is_quiet()

    assert laptop.state == SIGNED_IN


def test_a_key_that_was_just_recorded_may_not_be_stored_yet(ada, laptop, monkeypatch):
    """Another request is changing the key. The socket closes half a minute later."""
    laptop.sign_in()
    assert connected.UNSAVED_WITHIN.total_seconds() + store_watch.LOOK < 120

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await sync_to_async(delete)(laptop)
            assert await socket.is_quiet()
            await sync_to_async(long_recorded)()
            assert await socket.closed() == (ENDED, "expired")


def test_a_change_of_key_while_the_store_is_read(ada, laptop, monkeypatch):
    """What was stored under the old key was deleted by the change, not by others."""
    laptop.sign_in()
    long_recorded()
    (row,) = UserSession.objects.all()
    read_many = stored_data.read_many

    def changed_meanwhile(keys):
        laptop.change_password("new")
        long_recorded()
        return read_many(keys)

    monkeypatch.setattr(
        "session_limit.registry.not_counting.read_many", changed_meanwhile
    )
    assert connected.deleted([row.pk]) == set()
    assert laptop.state == SIGNED_IN


def test_an_adopted_session_whose_id_was_never_stored(ada, laptop):
    laptop.sign_in()
    mark_as_installed_later(laptop)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await sync_to_async(long_recorded)()
            assert await socket.is_quiet()


def test_the_session_of_another_site(ada, laptop):
    laptop.sign_in()
    long_recorded()
    UserSession.objects.update(store="of another site")
    delete(laptop)
    (row,) = UserSession.objects.all()
    assert connected.deleted([row.pk]) == set()


def test_a_store_that_fails_closes_nothing(ada, laptop, monkeypatch):
    laptop.sign_in()
    long_recorded()
    looks = []

    def fails(*args):
        looks.append(args)
        raise ConnectionError

    monkeypatch.setattr(stored_data, "_read", fails)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await until(lambda: len(looks) >= 2)
            assert await socket.is_quiet()


def test_a_store_that_stalls_delays_no_other_check(ada, laptop, monkeypatch):
    laptop.sign_in()
    long_recorded()
    monkeypatch.setattr(database_threads, "PATIENCE", 0.2)
    stalled = []

    def stalls(ids):
        stalled.append(ids)
        time.sleep(0.5)
        return set()

    monkeypatch.setattr(connected, "deleted", stalls)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await until(lambda: stalled)
            await asyncio.wait_for(verified(), 0.2)
            assert await socket.is_quiet()


@pytest.mark.skipif(settings.ENGINE != "db", reason="counts the statements of one")
def test_a_look_takes_two_statements_for_all(ada, settings, django_assert_num_queries):
    settings.SESSION_LIMIT = None
    for _ in range(5):
        Visitor().sign_in(**signs_in)
    long_recorded()
    ids = list(UserSession.objects.values_list("pk", flat=True))
    with django_assert_num_queries(2):
        assert connected.deleted(ids) == set()
