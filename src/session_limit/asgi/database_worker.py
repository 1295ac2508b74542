"""Run database calls in a thread, and shut its connections from outside."""

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

# In seconds: how long a cancelled call may take to return.
CANCELLED = 0.5


class Call:
    """Hold a function to run in a worker, and the future that its caller awaits."""

    # When the function began to run, by ``time.monotonic()``.
    started = 0.0

    def __init__(
        self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self._function = function

    def run(self) -> None:
        """Run the function, and pass its result or error to the event loop."""
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
            # Django does this at the end of a request. Cached sessions were read.
            close_caches()

    def settle(self, result: Any, error: BaseException | None) -> None:
        """Complete the future, unless the call was given up. Runs in the event loop."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class Worker(threading.Thread):
    """
    Run calls one after another with database connections of its own.

    ``next_call`` returns the next call, or ``None`` to end. This is a daemon thread, so
    that a process can exit even if a call never returns.
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
        Cancel the statement of this thread, and shut down the sockets of its
        connections if it does not end. Call this from another thread. Blocks.

        A call that waits for a stalled server then fails, and the thread ends. A driver
        without a timeout would wait for ever.
        """
        for connection in self._connections:
            driver_timeouts.cancel(connection)
        self.join(CANCELLED)
        if self.is_alive():
            for connection in self._connections:
                driver_timeouts.disconnect(connection)


@receiver(connection_created, dispatch_uid="session_limit.asgi.database_worker")
def _bound_locks(connection: BaseDatabaseWrapper, **_kwargs: Any) -> None:
    if isinstance(threading.current_thread(), Worker):
        driver_timeouts.bound_locks(connection)
