"""Define a thread that runs database calls and that other threads can interrupt."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import close_caches
from django.db import InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from session_limit.asgi import driver_timeouts
from session_limit.registry.transactions import MustLock
from session_limit.store import engines

# How many seconds a cancelled call may take to return.
CANCELLED = 0.5


class Call:
    """A function to run in a worker thread, with a future for its result."""

    # The value of ``time.monotonic()`` when the function began to run.
    started = 0.0

    def __init__(
        self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self._function = function

    def run(self) -> None:
        """Run the function, and pass its result or error to the caller's event loop."""
        result, error = None, None
        try:
            result = self._result()
        except BaseException as raised:  # noqa: BLE001 the caller gets it
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self.settle, result, error)

    def _result(self) -> Any:
        try:
            try:
                return self._function()
            except (InterfaceError, OperationalError):
                # The server may have closed an idle connection. Try again with a new
                # one, unless the caller has given up.
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
            # Django does this after a request. The call may have read a cache.
            close_caches()

    def settle(self, result: Any, error: BaseException | None) -> None:
        """
        Pass the result or the error of the function to the waiting caller.

        Does nothing if the caller has given up. Runs in the caller's event loop.
        """
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class Worker(threading.Thread):
    """
    A thread that runs one ``Call`` after another on its own database connections.

    ``next_call()`` returns the next call, or ``None`` to end the thread. The thread is
    a daemon, so that the process can exit even if a call never returns.
    """

    def __init__(self, next_call: Callable[[Worker], Call | None]) -> None:
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
                # Free the call and its result while waiting for the next.
                del call
        finally:
            connections.close_all()

    def disconnect(self) -> None:
        """
        Abort the call that this thread runs, for example on a stalled database server.

        Cancels the running statement. If the thread has not ended after ``CANCELLED``
        seconds, shuts down its connections. Call this method from another thread,
        because it blocks.
        """
        for connection in self._connections:
            driver_timeouts.cancel(connection)
        self.join(CANCELLED)
        if self.is_alive():
            # A driver that has no timeout would otherwise wait for ever.
            for connection in self._connections:
                driver_timeouts.disconnect(connection)


@receiver(connection_created, dispatch_uid="session_limit.asgi.database_worker")
def _bound_locks(connection: BaseDatabaseWrapper, **_kwargs: Any) -> None:
    if isinstance(threading.current_thread(), Worker):
        driver_timeouts.bound_locks(connection)
