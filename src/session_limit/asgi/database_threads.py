"""
Threads for the database's answers, whose callers never wait without a bound.

They belong to this package, so that no view or consumer of the project delays them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from django.conf import settings
from django.core.cache import close_caches
from django.db import InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from session_limit.asgi import driver_timeouts
from session_limit.registry.transactions import MustLock, reads_only
from session_limit.store import engines

P = ParamSpec("P")
T = TypeVar("T")

# In seconds: how long a call may run before its thread is abandoned. A statement of
# this package takes milliseconds, so what takes this long is stalled or blocked.
PATIENCE = 2.0
# In seconds: how long a cancelled call may take to return.
CANCELLED = 0.5
# How many calls may wait for the thread, so that a flood costs no memory without end.
MAX_WAITING = 1_000
# How many abandoned threads may be left at once.
MAX_ABANDONED = 8


class NotAnswered(Exception):
    """Raised for a call that the database did not answer in time."""


class TookTooLong(NotAnswered):
    """Raised for a call that ran for more than ``PATIENCE`` seconds."""


class TooManyWaiting(NotAnswered):
    """Raised for a call that finds ``MAX_WAITING`` others before it."""


class DatabaseThread:
    """
    Run one call at a time in a thread that keeps its database connections open.

    Connections stay open between calls because calls come every second.

    If a call runs for more than ``PATIENCE`` seconds, the thread is abandoned: its
    statement is cancelled, its connections are shut down, its caller gets
    ``TookTooLong``, and a fresh thread with fresh connections takes over the calls
    that wait.

    Give a ``locking`` thread to make this one read only. A call that turns out to need
    row locks then runs there instead, so that calls that only read never wait for a
    row lock. A call that only reads is also tried a second time after ``TookTooLong``.
    """

    def __init__(self, *, locking: DatabaseThread | None = None) -> None:
        self._locking = locking
        # Guards everything below, and wakes up the thread.
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._running: _Call | None = None
        self._worker: _Worker | None = None
        self._abandoned: set[_Worker] = set()
        self._is_closing = False
        self._timer: asyncio.TimerHandle | None = None

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """
        Return what ``function`` returns, and raise what it raises.

        The function may run twice, so it must be safe to repeat. Raises
        ``NotAnswered`` if there is no answer in time.
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
        """End the thread, and its connections, after the calls that wait."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    async def _run(self, function: Callable[[], T]) -> T:
        call = _Call(function, asyncio.get_running_loop())
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

    def _admit(self, call: _Call) -> None:
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
        worker = _Worker(self._next)
        # Raises RuntimeError if the process may have no more threads. The next call
        # then tries again.
        worker.start()
        self._worker = worker

    def _next(self, worker: _Worker) -> _Call | None:
        """Return the next call for ``worker``, once there is one; ``None`` to end."""
        with self._changed:
            while worker is self._worker:
                self._running = None
                if self._waiting:
                    call = self._waiting.popleft()
                    if call.future.done():
                        continue  # its caller has given up
                    self._running, call.started = call, time.monotonic()
                    return call
                if self._is_closing:
                    self._worker = None
                else:
                    self._changed.wait()
            self._abandoned.discard(worker)
            return None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Abandon the thread if its call has run for too long. Shut what abandoned threads
        have open, once their callers have been told, so that no call is tried again.
        Look again later.
        """
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
            # Again and again: a connection may be opened after its thread was
            # abandoned, and stall then.
            for worker in self._abandoned:
                # That blocks. If there can be no thread for it, the next look tries.
                with contextlib.suppress(RuntimeError):
                    threading.Thread(target=worker.disconnect, daemon=True).start()
        self._timer = loop.call_later(left, self._look, loop)

    def _abandon(self, call: _Call) -> None:
        worker, self._worker, self._running = self._worker, None, None
        given_up = [call]
        if worker is not None:
            self._abandoned.add(worker)
        goes_on = len(self._abandoned) < MAX_ABANDONED
        if goes_on and self._waiting:
            try:
                self._start_worker()
            except RuntimeError:
                goes_on = False
        if not goes_on:
            given_up += self._waiting
            self._waiting.clear()
        for each in given_up:
            error = TookTooLong(f"The database did not answer within {PATIENCE} s.")
            each.settle(None, error)


class _Call:
    """A function to run in a worker, and the future that its caller awaits."""

    # When it began to run, by ``time.monotonic()``.
    started = 0.0

    def __init__(
        self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self._function = function

    def run(self) -> None:
        """Run the function, and pass what comes of it to the event loop."""
        result, error = None, None
        try:
            result = self._result()
        except BaseException as raised:  # noqa: BLE001 its caller gets it
            error = raised
        # The loop may have been closed meanwhile.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.settle, result, error)

    def _result(self) -> Any:
        try:
            try:
                return self._function()
            except (InterfaceError, OperationalError):
                # The other end may have closed a connection that was idle for long, so
                # try again with a new one, unless the caller has given up.
                connections.close_all()
                if self.future.done():
                    raise
                return self._function()
        except MustLock:
            raise
        except BaseException:
            connections.close_all()
            raise
        finally:
            # As at the end of a request: sessions in a cache were read from it.
            close_caches()

    def settle(self, result: Any, error: BaseException | None) -> None:
        """Set the outcome, in the event loop, unless the call was given up."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class _Worker(threading.Thread):
    """
    A daemon thread, so that a process can exit although a call never returns.

    ``next_call`` returns what to run next, or ``None`` to end.
    """

    def __init__(self, next_call: Callable[[_Worker], _Call | None]) -> None:
        super().__init__(name="session-limit", daemon=True)
        self._next_call = next_call
        self._connections: list[BaseDatabaseWrapper] = []

    def run(self) -> None:
        self._connections = [*connections.all()]
        for connection in self._connections:
            driver_timeouts.set_timeouts(connection)
        if engines.is_cached(engines.engine()):
            driver_timeouts.set_cache_timeouts(settings.SESSION_CACHE_ALIAS)
        try:
            while (call := self._next_call(self)) is not None:
                call.run()
                # Keep neither the call nor its result while waiting for the next.
                del call
        finally:
            connections.close_all()

    def disconnect(self) -> None:
        """
        Cancel what this thread executes, and shut the sockets of its connections if it
        does not end. Blocks; called from another thread.

        A call that waits for a server that does not answer then fails, and the thread
        ends. A driver without a timeout would wait for ever.
        """
        for connection in self._connections:
            driver_timeouts.cancel(connection)
        self.join(CANCELLED)
        if self.is_alive():
            for connection in self._connections:
                driver_timeouts.disconnect(connection)


@receiver(connection_created, dispatch_uid="session_limit.asgi.database_threads")
def _bound_locks(connection: BaseDatabaseWrapper, **_kwargs: Any) -> None:
    if isinstance(threading.current_thread(), _Worker):
        driver_timeouts.bound_locks(connection)


def _only_read(function: Callable[[], T]) -> T:
    with reads_only():
        return function()
