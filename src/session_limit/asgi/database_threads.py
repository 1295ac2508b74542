"""
Run database calls in separate threads, and limit how long the callers wait.

The project's views and consumers run in other threads and cannot delay these calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from session_limit.asgi.database_worker import Call, Worker
from session_limit.registry.transactions import MustLock, reads_only

P = ParamSpec("P")
T = TypeVar("T")

# How many seconds a call may run before its thread is abandoned. Statements of this
# package take milliseconds, so a call that takes this long is stalled or blocked.
PATIENCE = 2.0
# How many calls may wait for a thread. This limits the memory that a flood can use.
MAX_WAITING = 1_000
# How many abandoned threads may exist at once.
MAX_ABANDONED = 8


class NotAnswered(Exception):
    """Raised when the database does not answer a call in time."""


class TookTooLong(NotAnswered):
    """Raised when a database call, or too many other calls, took too long."""


class TooManyWaiting(NotAnswered):
    """Raised when ``MAX_WAITING`` other calls are waiting for the database."""


class DatabaseThread:
    """
    Runs database calls for an event loop in a separate thread, one at a time.

    Database connections stay open between calls, because calls come every second. A
    call may run for ``PATIENCE`` seconds. After that, ``run()`` raises ``TookTooLong``.
    The thread is then abandoned, its statement is cancelled, and its connections are
    shut down. A new thread takes over the waiting calls.

    If another ``DatabaseThread`` is passed as ``locking``, this instance is read-only.
    Calls that need row locks run in the other thread, so that calls that only read
    never wait for a row lock. A read-only call that took too long is tried once more.
    """

    def __init__(self, *, locking: DatabaseThread | None = None) -> None:
        self._locking = locking
        # Protects the attributes below, and wakes up the thread.
        self._changed = threading.Condition()
        self._waiting: deque[Call] = deque()
        self._running: Call | None = None
        self._worker: Worker | None = None
        self._abandoned: set[Worker] = set()
        self._is_closing = False
        self._timer: asyncio.TimerHandle | None = None

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """
        Run ``function`` in the thread, and return its result.

        ``function`` must be safe to repeat, because it may run twice. Raises the error
        that ``function`` raises, or ``NotAnswered`` if there is no result in time.
        """
        call = functools.partial(function, *args, **kwargs)
        if self._locking is None:
            return await self._run(call)
        reading = functools.partial(_only_read, call)
        try:
            try:
                return await self._run(reading)
            except TookTooLong:
                return await self._run(reading)
        except MustLock:
            return await self._locking.run(function, *args, **kwargs)

    def close(self) -> None:
        """End the thread and close its connections after the waiting calls have run."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    async def _run(self, function: Callable[[], T]) -> T:
        call = Call(function, asyncio.get_running_loop())
        with self._changed:
            self._admit(call)
        if self._timer is None:
            self._timer = call.loop.call_later(PATIENCE, self._look, call.loop)
        try:
            return cast("T", await call.future)
        except asyncio.CancelledError:
            with self._changed, contextlib.suppress(ValueError):
                self._waiting.remove(call)
            raise

    def _admit(self, call: Call) -> None:
        if len(self._abandoned) >= MAX_ABANDONED:
            raise TookTooLong("Too many calls to the database have not returned.")
        if len(self._waiting) >= MAX_WAITING:
            raise TooManyWaiting("Too many calls wait for the database.")
        if self._worker is None:
            self._start_worker()
        self._waiting.append(call)
        self._is_closing = False
        self._changed.notify()

    def _start_worker(self) -> None:
        worker = Worker(self._next)
        # Raises RuntimeError if the process cannot have more threads. The next call
        # then tries again.
        worker.start()
        self._worker = worker

    def _next(self, worker: Worker) -> Call | None:
        """Wait for and return the next call, or ``None`` if ``worker`` must end."""
        with self._changed:
            while worker is self._worker:
                self._running = None
                if self._waiting:
                    call = self._waiting.popleft()
                    if call.future.done():
                        continue  # the caller has given up
                    self._running, call.started = call, time.monotonic()
                    return call
                if self._is_closing:
                    self._worker = None
                else:
                    self._changed.wait()
            self._abandoned.discard(worker)
            return None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Abandon the thread if its call takes too long. Schedule the next check."""
        self._timer = None
        with self._changed:
            call, left = self._running, PATIENCE
            if call is not None:
                left -= time.monotonic() - call.started
                if left <= 0:
                    self._abandon(call)
                    left = PATIENCE
            elif not self._waiting and not self._abandoned:
                return
            # The callers already have their errors, so no worker repeats an abandoned
            # call when its connection is shut down. Each check does this again, because
            # a connection may open after its thread was abandoned.
            for worker in self._abandoned:
                # disconnect() blocks. If no thread can start, the next check tries.
                with contextlib.suppress(RuntimeError):
                    threading.Thread(target=worker.disconnect, daemon=True).start()
        self._timer = loop.call_later(left, self._look, loop)

    def _abandon(self, call: Call) -> None:
        worker, self._worker, self._running = self._worker, None, None
        given_up = [call]
        if worker is not None:
            self._abandoned.add(worker)
        if self._waiting and len(self._abandoned) < MAX_ABANDONED:
            with contextlib.suppress(RuntimeError):
                self._start_worker()
        if self._worker is None:
            given_up += self._waiting
            self._waiting.clear()
        for each in given_up:
            error = TookTooLong(f"The database did not answer within {PATIENCE} s.")
            each.settle(None, error)


def _only_read(function: Callable[[], T]) -> T:
    with reads_only():
        return function()
