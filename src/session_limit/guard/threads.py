"""A thread of our own for the database: nobody's view or consumer keeps it waiting."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.core.cache import close_caches
from django.db import InterfaceError, OperationalError, connections

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """
    One thread with one connection to each database that it was asked to use. It stays
    open between two calls, since they come every second; a pool has its own back.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what ``function`` returns. Raises what it raises."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "session-limit")
        call = functools.partial(_call, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def close(self) -> None:
        """Close the connections, and end the thread once it has done."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.submit(connections.close_all)
            executor.shutdown(wait=False)


def _call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        try:
            return function(*args, **kwargs)
        except (InterfaceError, OperationalError):
            # What was open for long may have been closed at its other end.
            connections.close_all()
            return function(*args, **kwargs)
    except BaseException:
        connections.close_all()
        raise
    finally:
        # As at a request's end: where sessions are in a cache, they were read from it.
        close_caches()
        for connection in connections.all(initialized_only=True):
            if connection.settings_dict["OPTIONS"].get("pool"):
                connection.close()
