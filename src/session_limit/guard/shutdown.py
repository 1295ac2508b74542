"""
Notice that the server is about to stop, so that it need not wait for event streams.

A server sends ``lifespan.shutdown`` only after its connections have closed, and waits
for those first. What tells a process earlier differs:

- uvicorn, granian, gunicorn and daphne handle a signal in the process that serves;
- hypercorn's master process sets an event that its workers share.

A server that recycles a worker (``max_requests``) says nothing beforehand.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = signal.SIGTERM, signal.SIGINT
# In seconds: how often the event of hypercorn's master is looked at.
POLL = 0.5

_begun = False
_waiting: set[asyncio.Future[None]] = set()
_replaced: dict[int, Callable[[int, FrameType | None], Any]] = {}
_polls: set[asyncio.Task[None]] = set()


def begins() -> asyncio.Future[None]:
    """
    Return a future that is done when the server begins to stop. Cancel it when that is
    of no interest any more.
    """
    future = asyncio.get_running_loop().create_future()
    if _begun:
        future.set_result(None)
        return future
    _waiting.add(future)
    future.add_done_callback(_waiting.discard)
    _listen()
    return future


def _listen() -> None:
    """Put our handler in front of the server's, and look at hypercorn's event."""
    if not _replaced and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            # If no Python code handles a signal, no server is going to stop gracefully.
            if callable(handler):
                _replaced[number] = handler
                signal.signal(number, _handle)
    event = _event_of_master()
    if event is not None and not _polls:
        task = asyncio.get_running_loop().create_task(_poll(event))
        _polls.add(task)
        task.add_done_callback(_polls.discard)


def _handle(number: int, frame: FrameType | None) -> None:
    """Tell who waits, and let the server handle this signal and all later ones."""
    handler = _replaced[number]
    for each, theirs in _replaced.items():
        if signal.getsignal(each) is _handle:
            signal.signal(each, theirs)
    _begin()
    handler(number, frame)


def _begin() -> None:
    global _begun
    _begun = True
    for future in tuple(_waiting):
        # A loop that is closed has nobody who waits.
        with contextlib.suppress(RuntimeError):
            future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _event_of_master() -> Any:
    """Return the event that ``hypercorn.run.run()`` gives each of its workers."""
    given = getattr(multiprocessing.current_process(), "_kwargs", {})
    return given.get("shutdown_event")


async def _poll(event: Any) -> None:
    while _waiting and not event.is_set():
        await asyncio.sleep(POLL)
    if event.is_set():
        _begin()
