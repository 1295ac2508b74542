"""
Test that streams end when the server begins to stop, and that its own signal handler
still runs.
"""

import asyncio
import functools
import multiprocessing
import os
import signal
import threading

import pytest
from django.core.handlers.asgi import ASGIHandler

from session_limit.asgi import event_stream, shutdown
from session_limit.asgi.shutdown import Shutdown
from tests.asgi.test_sockets import story
from tests.asgi.wire import PATIENCE, Response

STREAM = "/account/sessions/events/"


@pytest.fixture(params=shutdown.SIGNALS)
def number(request):
    before = signal.getsignal(request.param)
    yield request.param
    signal.signal(request.param, before)


@pytest.fixture
def handled(number):
    """Return a list of the signals that the server's own handler has received."""
    calls = []
    signal.signal(number, lambda *args: calls.append(args[0]))
    return calls


def test_a_signal_is_the_servers_and_ours(number, handled):
    process, servers = Shutdown(), signal.getsignal(number)

    async def main():
        begins = [process.begins() for _ in range(3)]
        assert not any(each.done() for each in begins)
        os.kill(os.getpid(), number)
        await asyncio.wait_for(asyncio.gather(*begins), PATIENCE)
        assert process.begins().done()
        os.kill(os.getpid(), number)

    asyncio.run(main())
    assert handled == [number, number]
    assert signal.getsignal(number) is servers
    assert process._waiting == set()


def test_a_handler_of_the_loop_goes_on(number):
    """A handler of the event loop, such as Hypercorn's or Gunicorn's, keeps working."""
    process, called = Shutdown(), asyncio.Queue()

    async def main():
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(number, called.put_nowait, number)
        begins = process.begins()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(begins, PATIENCE)
        os.kill(os.getpid(), number)
        for _ in range(2):
            assert await asyncio.wait_for(called.get(), PATIENCE) == number

    asyncio.run(main())


def test_a_handler_put_in_front_of_ours_later(number, handled):
    process = Shutdown()

    async def main():
        process.begins()
        ours = signal.getsignal(number)
        signal.signal(number, functools.partial(ours))
        begins = process.begins()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(begins, PATIENCE)

    asyncio.run(main())
    assert handled == [number]


def test_what_is_no_servers_is_left_alone(number):
    for handler in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler):
        signal.signal(number, handler)

        async def main():
            Shutdown().begins()

        asyncio.run(main())
        if handler is not signal.default_int_handler or number != signal.SIGINT:
            assert signal.getsignal(number) == handler


def test_in_another_thread_nothing_is_set(number, handled):
    servers = signal.getsignal(number)

    async def main():
        Shutdown().begins().cancel()

    thread = threading.Thread(target=asyncio.run, args=[main()])
    thread.start()
    thread.join()
    assert signal.getsignal(number) is servers


def test_a_process_that_goes_on_serves_again(monkeypatch):
    process = Shutdown()

    async def main():
        process.begin()
        assert process.begins().done()
        monkeypatch.setattr(shutdown, "LASTS", 0.0)
        assert not process.begins().done()

    asyncio.run(main())


def test_the_event_of_hypercorns_master(monkeypatch):
    monkeypatch.setattr(shutdown, "POLL", 0.01)
    event, process = multiprocessing.get_context("spawn").Event(), Shutdown()
    worker, given = multiprocessing.current_process(), {"shutdown_event": event}
    monkeypatch.setattr(worker, "_kwargs", given, raising=False)

    async def main():
        begins = process.begins()
        await asyncio.sleep(0.05)
        assert not begins.done()
        event.set()
        await asyncio.wait_for(begins, PATIENCE)

    asyncio.run(main())


def test_streams_end_and_pages_come_back_at_random(ada, laptop, monkeypatch):
    laptop.sign_in()
    monkeypatch.setattr(event_stream, "shutdown", process := Shutdown())
    retries = set()

    @story
    async def _():
        streams = [Response(ASGIHandler(), laptop, STREAM) for _ in range(8)]
        for each in streams:
            await each.__aenter__()
            await each.started()
            retries.add((await each.body())[0].split(b"\n")[0])
        process.begin()
        for each in streams:
            assert await each.body() == (b"", False)
            await each.done()
        # A page that connects while the server stops gets a stream that ends at once.
        async with Response(ASGIHandler(), laptop, STREAM) as late:
            await late.started()
            assert (await late.body())[0].startswith(b"retry: ")
            assert await late.body() == (b"", False)
            await late.done()
        assert process._waiting == set()

    assert len(retries) > 1
