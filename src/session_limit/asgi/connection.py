"""Run an ASGI application, and close the connection when the session ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Hashable
from uuid import UUID

from django.http import HttpRequest

from session_limit.asgi.hub import Hub
from session_limit.asgi.types import Application, Message, Receive, Scope, Send

logger = logging.getLogger("session_limit")

# How many seconds the server has to send the last message of an ended connection, and
# how many seconds the application then has to return.
LINGER = 1.0
# How many seconds to pause when an application sends after its session has ended.
# Without the pause, an application that sends in a loop would block the event loop.
DISCARD_PAUSE = 0.01


class Connection:
    """
    A client's connection to an ASGI application, closed when the session ends.

    When the session ends, this class notifies the client and passes the message
    ``disconnect`` to the application. An application that does not return within
    ``LINGER`` seconds is cancelled. Subclasses set ``disconnect`` to the message of
    their protocol, and implement ``notify_client()``.
    """

    disconnect: Message

    # SessionLimitMiddleware sets this if Django's handler serves the connection.
    request: HttpRequest | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send, hub: Hub) -> None:
        self.scope = scope
        self.hub = hub
        self.has_ended = False
        self._receive = receive
        self._send = send
        self._watched: UUID | None = None
        self._task: asyncio.Task[None] | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._interrupted = self._disconnected = self._cancelled = False
        self._done = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None

    async def run(self, application: Application) -> None:
        """Run ``application`` until it returns or the session ends."""
        self._task = asyncio.current_task()
        try:
            await application(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self._cancelled or self._task is None:
                raise
            self._task.uncancel()
        finally:
            if self._watched is not None:
                self.hub.leave(self._watched, self._end)
            if self._closing is not None:
                self._done.set()
                # If this method returned first, the server would close the connection
                # without the code and reason that _close() sends.
                await self._closing

    def watch(self, id: UUID, tenant: Hashable | None) -> None:
        """
        Close this connection when the session with the given ``id`` ends.

        ``tenant`` is the tenant whose tables hold the session, or ``None``.
        """
        if self._watched is None and not self.has_ended:
            self._watched = id
            # Join first, so that an ending between the two calls is not missed.
            self.hub.join(id, self._end, tenant)
            self.hub.verify(id)

    async def receive(self) -> Message:
        """Return the next ASGI message, or ``disconnect`` if the session has ended."""
        if self.has_ended:
            return await self._disconnected_message()
        self._receiver = task = asyncio.current_task()
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if not self._interrupted or task is None:
                raise
            self._interrupted = False
            task.uncancel()
            return await self._disconnected_message()
        finally:
            self._receiver = None

    async def _disconnected_message(self) -> Message:
        if self._disconnected:
            # An application that ignores the disconnect would otherwise receive it in
            # an endless loop. _close() cancels this wait.
            await asyncio.get_running_loop().create_future()
        self._disconnected = True
        return self.disconnect

    async def send(self, message: Message) -> None:
        """Send ``message`` to the client, or discard it if the session has ended."""
        if self.has_ended:
            await asyncio.sleep(DISCARD_PAUSE)
        else:
            await self._send(message)

    def _end(self, reason: str | None) -> None:
        """Start closing the connection. Does nothing if ``reason`` is ``None``."""
        # The hub passes None for a session that is still live.
        if reason is not None and not self.has_ended:
            self.has_ended = True
            self._closing = asyncio.get_running_loop().create_task(self._close(reason))

    async def _close(self, reason: str) -> None:
        # granian does not close a connection while a receive() is under way.
        if self._receiver is not None:
            self._interrupted = True
            self._receiver.cancel()
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(LINGER):
                await self.notify_client(reason)
        except Exception:
            # The client may have disconnected, or may not read what is sent.
            logger.debug("A client could not be notified.", exc_info=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._done.wait()
        if not self._done.is_set() and self._task is not None:
            self._cancelled = True
            self._task.cancel()

    async def notify_client(self, reason: str) -> None:
        """Notify the client that the session has ended. Subclasses override this."""
        raise NotImplementedError
