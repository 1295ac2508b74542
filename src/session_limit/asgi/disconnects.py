"""Stop work for a client as soon as the client disconnects."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from session_limit.asgi.types import Message, Receive

T = TypeVar("T")

# After how many seconds of work an inbox starts to watch for a disconnect. Faster work
# needs no extra task.
PROMPT = 0.05


class ClientDisconnected(Exception):
    """Raised when a client disconnects before receiving an answer."""


class Inbox:
    """
    Receives ASGI messages ahead of the application, to notice a disconnect early.

    The application gets the same messages from ``receive()`` later. Use an inbox as a
    context manager, so that it stops receiving from the server on exit.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: deque[Message] = deque()
        # The pending call of the server's receive(). It is kept until it returns,
        # because some servers fail if receive() is cancelled and then called again.
        self._next: asyncio.Future[Message] | None = None
        # The task that waits in run_unless_disconnected(), and why it was cancelled.
        self._task: asyncio.Task[Any] | None = None
        self._reason: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._next is not None:
            self._next.cancel()

    async def receive(self) -> Message:
        """Return the client's next message. Messages that arrived early come first."""
        if self._read:
            return self._read.popleft()
        if self._next is None:
            return await self._receive()
        try:
            return await self._next
        finally:
            self._next = None

    async def run_unless_disconnected(self, work: Coroutine[Any, Any, T]) -> T:
        """
        Await ``work`` and return its result, unless the client disconnects first.

        If the client disconnects, cancels ``work`` and raises ``ClientDisconnected``.
        An error from the server's ``receive()`` also cancels ``work``, and is raised.
        """
        self._task = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(PROMPT, self._receive_ahead)
        try:
            return await work
        except asyncio.CancelledError:
            if self._reason is None or self._task is None:
                raise
            self._task.uncancel()
            raise self._reason from None
        finally:
            timer.cancel()
            self._task = None

    def _receive_ahead(self) -> None:
        self._next = asyncio.ensure_future(self._receive())
        self._next.add_done_callback(self._handle)

    def _handle(self, received: asyncio.Future[Message]) -> None:
        """Store a message for the application, or stop the work after a disconnect."""
        if self._task is None or received.cancelled():
            return
        self._next, self._reason = None, received.exception()
        if self._reason is None:
            self._note(received.result())
        if self._reason is None:
            self._receive_ahead()
        else:
            self._task.cancel()

    def _note(self, message: Message) -> None:
        if message["type"] in {"http.disconnect", "websocket.disconnect"}:
            self._reason = ClientDisconnected()
        # Drop the request's body, because no application gets this request.
        elif message["type"] != "http.request":
            self._read.append(message)
