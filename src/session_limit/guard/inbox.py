"""Watch for a client that disconnects while something is found out about it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from session_limit.guard.asgi import Message, Receive

T = TypeVar("T")


class Gone(Exception):
    """The client has disconnected."""


class Inbox:
    """
    Receive from a server ahead of the application, which then gets the same messages.

    A context manager: on exit, the server is asked for nothing more.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: deque[Message] = deque()
        # Asked for, and not there yet: a server need not bear that it is cancelled.
        self._next: asyncio.Future[Message] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._next is not None:
            self._next.cancel()

    async def receive(self) -> Message:
        """Return the next message that no ``receive()`` has returned yet."""
        if self._read:
            return self._read.popleft()
        if self._next is None:
            return await self._receive()
        try:
            return await self._next
        finally:
            self._next = None

    async def unless_gone(self, work: Coroutine[Any, Any, T]) -> T:
        """
        Return what ``work`` returns. Cancels it and raises ``Gone`` if the client
        disconnects first: what nobody waits for need not be found out.
        """
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                if self._next is None:
                    self._next = asyncio.ensure_future(self._receive())
                either: list[asyncio.Future[Any]] = [task, self._next]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if self._next.done():
                    self._take(self._next.result())
            return task.result()
        finally:
            task.cancel()

    def _take(self, message: Message) -> None:
        self._next = None
        if message["type"] in {"http.disconnect", "websocket.disconnect"}:
            raise Gone
        # The body of a request that no application gets is dropped.
        if message["type"] != "http.request":
            self._read.append(message)
