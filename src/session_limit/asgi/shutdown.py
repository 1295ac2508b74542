"""
Detect that the server is about to stop, so that streams do not delay the shutdown.

A server sends ``lifespan.shutdown`` only after its connections have closed. An earlier
sign of the shutdown depends on the server:

- uvicorn, granian, gunicorn and daphne handle a signal in the process that serves;
- hypercorn's master process sets an event that its workers share.

A server that recycles a worker (``max_requests``) gives no sign.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]

SIGNALS = signal.SIGTERM, signal.SIGINT
# How many seconds pass between two checks of hypercorn's event, and how many seconds a
# server may take to stop. A process that still runs after that was not stopped, and
# serves streams again.
POLL = 0.5
LASTS = 60.0


class Shutdown:
    """Detects when the server of this process begins to stop."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._handlers: dict[int, Handler] = {}
        self._poll: asyncio.Task[None] | None = None

    def begins(self) -> asyncio.Future[None]:
        """
        Return a future that completes when the server begins to stop.

        The caller must cancel a future that is no longer needed.
        """
        future = asyncio.get_running_loop().create_future()
        if self._began is not None and time.monotonic() - self._began < LASTS:
            future.set_result(None)
            return future
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._handle(number)
        # hypercorn.run.run() gives this event to each of its workers.
        given = getattr(multiprocessing.current_process(), "_kwargs", {})
        event = given.get("shutdown_event")
        if event is not None and (self._poll is None or self._poll.done()):
            self._poll = future.get_loop().create_task(self._poll_event(event))
        return future

    def _handle(self, number: int) -> None:
        """Install a signal handler that runs before the server's handler."""
        theirs = signal.getsignal(number)
        # A server without a handler of its own does not stop gracefully.
        known = signal.default_int_handler, self._handlers.get(number)
        if callable(theirs) and theirs not in known:
            handler = functools.partial(self._begin_and_pass_on, theirs)
            signal.signal(number, handler)
            self._handlers[number] = handler

    def _begin_and_pass_on(
        self, theirs: Handler, number: int, frame: FrameType | None
    ) -> None:
        if signal.getsignal(number) is self._handlers.get(number):
            # Leave a second signal to the server's own handler.
            signal.signal(number, theirs)
        self.begin()
        theirs(number, frame)

    def begin(self) -> None:
        """Complete all futures from ``begins()``. Signal handlers may call this."""
        self._began = time.monotonic()
        for future in tuple(self._waiting):
            # A closed event loop raises RuntimeError, and nothing waits in it.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_finish, future)

    async def _poll_event(self, event: Any) -> None:
        while self._waiting and not event.is_set():  # noqa: ASYNC110 other process's
            await asyncio.sleep(POLL)
        if event.is_set():
            self.begin()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


shutdown = Shutdown()
