"""Test that an ending is noticed whatever its time is and however late it commits."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.db import connections, transaction
from django.utils import timezone

from session_limit import registry
from session_limit.asgi import bulk_reads, hub, sweep
from session_limit.models import Play, UserSession
from tests.asgi.test_events import opened, stream
from tests.asgi.test_sockets import Application, story
from tests.asgi.wire import ENDED, PATIENCE, Socket, event, until, verified
from tests.stories.people import Visitor, make_user

Reason = UserSession.Reason

MOMENTS = {
    "an hour ago": timedelta(hours=-1),
    "a minute ago": timedelta(minutes=-1),
    "in a minute": timedelta(minutes=1),
    "in a year": timedelta(days=365),
}
moments = pytest.mark.parametrize("ended", MOMENTS.values(), ids=MOMENTS)


class Swept:
    """Count how often the sweep has read the connected sessions."""

    def __init__(self, monkeypatch):
        self.times = 0
        real = bulk_reads.read_unexpired

        def read(ids):
            found = real(ids)
            self.times += 1
            return found

        monkeypatch.setattr(bulk_reads, "read_unexpired", read)

    async def again(self, times=2):
        """Wait until the sweep has read ``times`` more times."""
        wanted = self.times + times
        await until(lambda: self.times >= wanted)


@moments
def test_whenever_a_session_is_said_to_have_ended(ada, laptop, swept, ended):
    laptop.sign_in()
    row = UserSession.objects.filter(pk=laptop.row.pk)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await row.aupdate(
                ended_at=timezone.now() + ended, ended_reason=Reason.REVOKED
            )
            assert await socket.closed() == (ENDED, "revoked")


def test_a_session_that_was_deleted(ada, laptop, swept):
    """
    A socket closes when another process deletes its session's row.

    The sweep then finds no row that has ended.
    """
    laptop.sign_in()
    row = UserSession.objects.filter(pk=laptop.row.pk)

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            await row.adelete()
            assert await socket.closed() == (ENDED, "")


@pytest.fixture
def committed():
    """Yield an event that lets ``in_another_thread()`` commit once the test sets it."""
    event = threading.Event()
    yield event
    event.set()


def in_another_thread(work, committed):
    """
    Do ``work`` in a transaction of another thread, which commits once ``committed`` is
    set.

    Return the thread when the work is done.
    """
    done = threading.Event()

    def run():
        with transaction.atomic():
            work()
            done.set()
            assert committed.wait(PATIENCE)
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    assert done.wait(PATIENCE)
    return thread


def test_an_ending_that_takes_long_to_commit(
    ada, laptop, swept, time, committed, monkeypatch
):
    """
    A view of twelve seconds under ``ATOMIC_REQUESTS`` ends a session at its start.

    When it commits, the sweep no longer reads endings of that time.
    """
    laptop.sign_in()

    @story
    async def _():
        async with Socket(Application(), laptop) as socket:
            await socket.accepted()
            await verified()
            swept = Swept(monkeypatch)

            def end():
                registry.end_all(ada, Reason.REVOKED)

            thread = await asyncio.to_thread(in_another_thread, end, committed)
            time.advance(12)
            await swept.again()
            assert socket.to_client.empty()
            committed.set()
            assert await socket.closed() == (ENDED, "revoked")
            await asyncio.to_thread(thread.join)


@pytest.fixture
def plays(settings):
    settings.SESSION_LIMIT = None
    settings.SESSION_LIMIT_PLAYS = 1


async def quiet(response):
    """Skip the events that the page receives because it has just connected."""
    while not await response.is_quiet(0.2):
        await response.body()


@moments
def test_whenever_a_play_is_said_to_have_ended(
    ada, laptop, plays, swept, ended, monkeypatch
):
    laptop.sign_in()
    play = registry.play(laptop.row).play

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await verified()
            await Swept(monkeypatch).again()
            await quiet(response)
            await Play.objects.filter(pk=play.pk).aupdate(
                ended_at=timezone.now() + ended, ended_reason=Play.Reason.DISPLACED
            )
            part, _ = await response.body()
            assert event(part) == ("changed", {"version": 1})
            assert await response.is_quiet(0.3)


def test_a_play_that_its_own_page_stopped(ada, laptop, plays, swept, monkeypatch):
    """A page gets no event for a play that it stopped itself."""
    laptop.sign_in()
    play = registry.play(laptop.row).play

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await verified()
            await Swept(monkeypatch).again()
            await quiet(response)
            await sync_to_async(registry.stop_play)(play.pk, play.session_id)
            assert await response.is_quiet(0.5)


def test_a_play_that_ends_between_two_readings(
    ada, laptop, phone, plays, swept, time, monkeypatch
):
    """
    The sweep compares the times of plays by the database's clock.

    The clock of this process is a day ahead.
    """
    laptop.sign_in()
    phone.sign_in()
    sessions = [laptop.row, phone.row]
    time.advance(86400)

    def both():
        with transaction.atomic():
            for session in sessions:
                registry.play(session)

    @story
    async def _():
        async with stream(laptop) as response:
            await opened(response)
            await verified()
            await Swept(monkeypatch).again()
            await quiet(response)
            await sync_to_async(both)()
            part, _ = await response.body()
            assert event(part) == ("changed", {"version": 1})


def test_a_play_that_ends_while_the_sweep_reads(plays, monkeypatch):
    """The sweep reports a play once that its statements read as open and as ended."""
    session, play = UserSession().pk, Play().pk
    monkeypatch.setattr(bulk_reads, "read_unexpired", lambda ids: {session: 1})
    monkeypatch.setattr(
        bulk_reads, "read_displaced", lambda plays: [session] * len(plays)
    )
    turns, found = sweep.Sweep(), []
    for opened_, recent in [(True, False), (True, True), (False, True), (False, False)]:
        is_open, ended = [(play, session)] * opened_, [(play, session)] * recent
        monkeypatch.setattr(
            bulk_reads, "read_open_plays", lambda ids, found=is_open: found
        )
        monkeypatch.setattr(
            bulk_reads, "read_plays_ended_since", lambda moment, found=ended: found
        )
        ids = turns.next_ids([session])
        reading = turns.read(ids, 1)
        turns.note(ids, reading)
        found.append(reading.changed)
    assert found == [set(), {session}, set(), set()]


def test_more_than_a_sweep_asks_about_at_once(settings, swept, monkeypatch):
    """The sweep asks about the sessions in turn, and reaches all of them."""
    monkeypatch.setattr(sweep, "AT_ONCE", 2)
    # Do not let the sweep find the endings because they are recent.
    monkeypatch.setattr(sweep, "RECENT", timedelta())
    people = [f"user{number}" for number in range(5)]
    visitors = [Visitor() for _ in people]
    for name, visitor in zip(people, visitors, strict=True):
        make_user(name)
        visitor.sign_in(name)
    rows = UserSession.objects.all()

    @story
    async def _():
        sockets = [Socket(Application(), visitor) for visitor in visitors]
        for socket in sockets:
            await socket.__aenter__()
            await socket.accepted()
        await verified()
        await rows.aupdate(ended_at=timezone.now(), ended_reason=Reason.REVOKED)
        for socket in sockets:
            assert await socket.closed() == (ENDED, "revoked")
            await socket.done()


def test_each_turn_asks_about_everybody_once(monkeypatch):
    monkeypatch.setattr(sweep, "AT_ONCE", 2)
    turns = sweep.Sweep()
    nothing = sweep.Reading(set(), set(), {}, frozenset())

    def take(connected):
        ids = turns.next_ids(connected)
        turns.note(ids, nothing)
        return ids

    assert [take([1, 2, 3, 4, 5]) for _ in range(4)] == [[1, 2], [3, 4], [5], [1, 2]]
    # The sweep repeats a turn that could not be read.
    assert turns.next_ids([6]) == turns.next_ids([6]) == [3, 4]


@pytest.mark.skipif(
    django_settings.DB == "sqlite", reason="SQLite limits a statement's parameters"
)
def test_one_statement_for_two_thousand(django_assert_num_queries):
    ids = [UserSession().pk for _ in range(sweep.AT_ONCE)]
    with django_assert_num_queries(1):
        assert bulk_reads.read_unexpired(ids) == {}
    assert hub.SWEEP == 1.0
