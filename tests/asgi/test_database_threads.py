"""Test that calls to a database thread wait for a bounded time in a bounded queue."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from session_limit.asgi import database_threads, driver_timeouts
from session_limit.registry.transactions import transactional
from tests.asgi.test_sockets import story
from tests.asgi.wire import until

# In seconds: how long a test waits before it fails.
LONG = 5.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(database_threads, "PATIENCE", 0.2)


@pytest.fixture
def stuck():
    """Yield an event that blocks the calls that wait for it until the test sets it."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def thread():
    return database_threads.DatabaseThread()


def test_a_call_that_does_not_return(thread, stuck):
    """A stalled call fails, and a fresh thread runs the calls queued behind it."""

    @story
    async def _():
        ident = await thread.run(threading.get_ident)
        waits = asyncio.ensure_future(thread.run(stuck.wait))
        behind = [asyncio.ensure_future(thread.run(str, n)) for n in range(3)]
        with pytest.raises(database_threads.TookTooLong):
            await asyncio.wait_for(waits, LONG)
        assert await asyncio.gather(*behind) == ["0", "1", "2"]
        assert await thread.run(threading.get_ident) != ident
        thread.close()


def test_time_in_the_queue_does_not_count(thread):
    """Only the time that a call runs counts towards ``PATIENCE``."""

    @story
    async def _():
        calls = [thread.run(threading.Event().wait, 0.1) for _ in range(5)]
        assert await asyncio.gather(*calls) == [False] * 5
        thread.close()


def test_so_many_are_abandoned_and_no_more(thread, stuck, monkeypatch):
    """With too many abandoned threads, calls fail at once until one of them returns."""
    monkeypatch.setattr(database_threads, "MAX_ABANDONED", 2)

    @story
    async def _():
        for _ in range(2):
            with pytest.raises(database_threads.TookTooLong):
                await asyncio.wait_for(thread.run(stuck.wait), LONG)
        ran = []
        with pytest.raises(database_threads.TookTooLong):
            await asyncio.wait_for(thread.run(ran.append, 1), 0.1)
        stuck.set()
        await until(lambda: not thread._abandoned)
        await thread.run(ran.append, 2)
        assert ran == [2]
        thread.close()


def test_those_that_wait_fail_with_the_last_that_is_abandoned(
    thread, stuck, monkeypatch
):
    monkeypatch.setattr(database_threads, "MAX_ABANDONED", 1)

    @story
    async def _():
        calls = [asyncio.ensure_future(thread.run(stuck.wait)) for _ in range(3)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in found] == [database_threads.TookTooLong] * 3


def test_so_many_wait_and_no_more(thread, monkeypatch):
    monkeypatch.setattr(database_threads, "MAX_WAITING", 2)
    held = threading.Event()

    @story
    async def _():
        first = asyncio.ensure_future(thread.run(held.wait))
        await until(lambda: thread._running is not None)
        waiting = [asyncio.ensure_future(thread.run(int)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(database_threads.TooManyWaiting):
            await asyncio.wait_for(thread.run(int), LONG)
        held.set()
        assert await asyncio.gather(first, *waiting) == [True, 0, 0]
        thread.close()


def test_a_call_whose_caller_has_gone_is_not_run(thread):
    held, ran, after = threading.Event(), [], threading.Event()

    @story
    async def _():
        first = asyncio.ensure_future(thread.run(held.wait))
        await until(lambda: thread._running is not None)
        gone = asyncio.ensure_future(thread.run(ran.append, "gone"))
        stays = asyncio.ensure_future(thread.run(after.set))
        await asyncio.sleep(0)
        gone.cancel()
        held.set()
        # This blocks the event loop, but not the thread.
        assert after.wait(LONG)
        await asyncio.gather(first, stays)
        assert ran == []
        thread.close()


def test_a_call_whose_caller_has_gone_takes_no_place(thread, monkeypatch):
    monkeypatch.setattr(database_threads, "MAX_WAITING", 1)
    held = threading.Event()

    @story
    async def _():
        first = asyncio.ensure_future(thread.run(held.wait))
        await until(lambda: thread._running is not None)
        for _ in range(3):
            gone = asyncio.ensure_future(thread.run(int))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        held.set()
        assert await thread.run(int) == 0
        await first
        thread.close()


def test_what_was_given_up_is_not_tried_again(thread, stuck):
    """A call that was given up does not run again, because its caller has an error."""
    calls = []

    def failing():
        calls.append(1)
        stuck.wait(5)
        raise OperationalError("server closed the connection")

    @story
    async def _():
        with pytest.raises(database_threads.TookTooLong):
            await thread.run(failing)
        stuck.set()
        await until(lambda: not thread._abandoned)
        assert len(calls) == 1
        thread.close()


def test_what_only_reads_is_asked_once_more(stuck):
    """
    A call that only reads is repeated on a fresh connection.

    A firewall may have dropped the first connection without a word.
    """
    calls = []

    def stuck_once():
        calls.append(1)
        return stuck.wait(5) if len(calls) == 1 else "answer"

    @story
    async def _():
        thread = database_threads.DatabaseThread(
            locking=database_threads.DatabaseThread()
        )
        assert await thread.run(stuck_once) == "answer"
        thread.close()


def test_what_locks_rows_runs_elsewhere():
    """
    A call that locks rows runs in the locking thread.

    Calls that only read therefore never wait for a row lock.
    """
    threads_met = []

    def work():
        threads_met.append(threading.get_ident())
        return transactional(lambda using: "written")()

    @story
    async def _():
        locking = database_threads.DatabaseThread()
        thread = database_threads.DatabaseThread(locking=locking)
        reading = await thread.run(threading.get_ident)
        there = await locking.run(threading.get_ident)
        assert await thread.run(work) == "written"
        assert threads_met == [reading, there]
        thread.close()
        locking.close()


def refuse_threads(patch):
    """Make the process fail to start another thread, as if it had reached its limit."""

    def refuse(worker):
        raise RuntimeError("can't start new thread")

    patch.setattr(database_threads.Worker, "start", refuse)


def test_a_thread_that_could_not_be_started_is_started_later(thread, monkeypatch):
    @story
    async def _():
        with monkeypatch.context() as patch:
            refuse_threads(patch)
            with pytest.raises(RuntimeError):
                await thread.run(int)
        assert await asyncio.wait_for(thread.run(int), LONG) == 0
        thread.close()


def test_no_fresh_thread_can_be_started(thread, stuck, monkeypatch):
    """If no fresh thread can start, queued calls fail together with the stalled one."""

    @story
    async def _():
        waits = asyncio.ensure_future(thread.run(stuck.wait))
        await until(lambda: thread._running is not None)
        behind = asyncio.ensure_future(thread.run(int))
        with monkeypatch.context() as patch:
            refuse_threads(patch)
            for call in (waits, behind):
                with pytest.raises(database_threads.TookTooLong):
                    await asyncio.wait_for(call, LONG)
        assert await asyncio.wait_for(thread.run(int), LONG) == 0
        thread.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"connect_timeout": driver_timeouts.TIMEOUT}),
        ({"connect_timeout": 9}, {"connect_timeout": 9}),
        # The thread does not use a pool, because the pool serves the views.
        ({"pool": True}, {"connect_timeout": driver_timeouts.TIMEOUT}),
    ],
)
def test_the_options_of_a_thread(given, expected):
    wrapper = SimpleNamespace(vendor="postgresql", settings_dict={"OPTIONS": given})
    driver_timeouts.set_timeouts(wrapper)
    assert wrapper.settings_dict["OPTIONS"] == expected


def test_a_closed_thread_answers_what_was_asked_and_ends(thread):
    @story
    async def _():
        calls = [asyncio.ensure_future(thread.run(int)) for _ in range(3)]
        await asyncio.sleep(0)
        worker = thread._worker
        thread.close()
        assert await asyncio.gather(*calls) == [0, 0, 0]
        await until(lambda: not worker.is_alive())
        # A closed thread starts again with the next call.
        assert await thread.run(str, 1) == "1"
        thread.close()


EXITS = """
import asyncio, threading
import django
django.setup()
from session_limit.asgi import database_threads as threads
from session_limit.registry.transactions import transactional
threads.PATIENCE = 0.1

async def main():
    thread = threads.DatabaseThread()
    try:
        await thread.run(threading.Event().wait)
    except threads.TookTooLong:
        print("given up", flush=True)

asyncio.run(main())
"""


def test_a_process_ends_though_a_call_does_not():
    ran = subprocess.run(
        [sys.executable, "-c", EXITS],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        timeout=20,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "given up\n"
