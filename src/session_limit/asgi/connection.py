"""A connection that may be over before its application has done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from uuid import UUID

from django.http import HttpRequest

from session_limit.asgi.hub import Hub
from session_limit.asgi.types import Application, Message, Receive, Scope, Send

logger = logging.getLogger("session_limit")

# How long an application may take to go, in seconds, and a server to send what is last.
LINGER = 1.0
# What it sends until then goes nowhere. Not at once: it may send without end.
SWALLOWED = 0.01


class Connection:
    """
    Stands between an application and its server. Once its session has ended, the
    client is told, the application is disconnected, and cancelled if it lingers.
    """

    # What the application is told.
    disconnect: Message

    # The request that our middleware guards, where Django's handler serves it.
    request: HttpRequest | None = None

    def __init__(self, scope: Scope, receive: Receive, send: Send, hub: Hub) -> None:
        self.scope = scope
        self.hub = hub
        self.over = False
        self._receive = receive
        self._send = send
        self._watched: UUID | None = None
        self._task: asyncio.Task[None] | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._interrupted = self._disconnected = self._cancelled = False
        self._done = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None

    async def run(self, application: Application) -> None:
        """Run ``application`` until it has done, or its session has ended."""
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
                # The server closes what its application leaves open, and does not say
                # why.
                await self._closing

    def watch(self, id: UUID) -> None:
        """
        Have it end with the session with this id: known to the hub first, and verified
        then, so that an ending cannot pass between the two.
        """
        if self._watched is None and not self.over:
            self._watched = id
            self.hub.join(id, self._end)
            self.hub.verify(id)

    async def receive(self) -> Message:
        """Return the client's next message, or that it is disconnected."""
        if self.over:
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
            # It has been told, and asks again: not for ever.
            await asyncio.get_running_loop().create_future()
        self._disconnected = True
        return self.disconnect

    async def send(self, message: Message) -> None:
        """Send ``message``, unless all is over."""
        if self.over:
            await asyncio.sleep(SWALLOWED)
        else:
            await self._send(message)

    def _end(self, reason: str | None) -> None:
        """End it, where there is a reason: the hub calls this."""
        if reason is not None and not self.over:
            self.over = True
            self._closing = asyncio.get_running_loop().create_task(self._close(reason))

    async def _close(self, reason: str) -> None:
        # A server may have to be asked for nothing before it closes (granian).
        if self._receiver is not None:
            self._interrupted = True
            self._receiver.cancel()
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(LINGER):
                await self.say_goodbye(reason)
        except Exception:
            # It may have gone, or read nothing.
            logger.debug("A client could not be told.", exc_info=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._done.wait()
        if not self._done.is_set() and self._task is not None:
            self._cancelled = True
            self._task.cancel()

    async def say_goodbye(self, reason: str) -> None:
        """Tell the client that it is over."""
        raise NotImplementedError
