"""End streaming HTTP responses when the session of their client ends."""

from __future__ import annotations

import asyncio
from uuid import UUID

from session_limit.asgi.connection import Connection
from session_limit.asgi.hub import current_hub
from session_limit.asgi.types import Application, Message, Receive, Scope, Send
from session_limit.store import identification, tenants
from session_limit.store.state import CONNECTION, state_of
from session_limit.utils.log_once import RateLimitedLog

# How many seconds after its first part an unfinished response counts as a stream, which
# ends with its session. The parts of an ordinary long page are sent sooner.
STREAM_AFTER = 0.05

_FAILURE = RateLimitedLog(
    "The session of a streaming response could not be identified, and it was cut."
)


async def serve(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve an HTTP request, and cut a streaming response if the session ends."""
    response = _Response({**scope}, receive, send, current_hub())
    response.scope[CONNECTION] = response
    try:
        await response.run(application)
        response.remember()
    finally:
        if response.timer is not None:
            response.timer.cancel()
        # Break the reference cycle, so that the garbage collector has less to do.
        del response.scope[CONNECTION]


class _Response(Connection):
    disconnect: Message = {"type": "http.disconnect"}
    has_length = False
    is_finished = False
    timer: asyncio.TimerHandle | None = None
    is_stream = False
    _identifying: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_length = any(
                bytes(name).lower() == b"content-length"
                for name, _ in message.get("headers", ())
            )
        elif message.get("more_body"):
            if self.is_stream:
                # Django may load the session only while it produces the stream.
                self._find_session()
            elif self.timer is None:
                loop = asyncio.get_running_loop()
                self.timer = loop.call_later(STREAM_AFTER, self._find_session)
        elif not self.has_ended:
            self.is_finished = message["type"] == "http.response.body"
        await super().send(message)

    def _find_session(self) -> None:
        """Find the session of this stream, and cut the stream when the session ends."""
        self.is_stream = True
        if self._watched is not None:
            return
        if self.request is not None:
            state = state_of(self.request)
            row = state.row if state is not None else None
            if row is not None and not tenants.are_used():
                self.watch(row.id, None)
            elif row is not None and self._identifying is None:
                self._identifying = asyncio.create_task(self._identify(row.id))
        elif self._identifying is None:
            # Code outside Django serves this response, without SessionLimitMiddleware.
            self._identifying = asyncio.create_task(self._identify())

    async def _identify(self, id: UUID | None = None) -> None:
        """Watch this stream's session, which has the given ``id`` if it is known."""
        try:
            if id is not None:
                tenant = await self.hub.find_tenant(self.scope)
                who = identification.Identity(id, tenant=tenant)
            else:
                who = await self.hub.identify(self.scope)
        except Exception as error:  # noqa: BLE001 logged
            _FAILURE.log(error)
            self._end("")
            return
        if who.reason is not None:
            self._end(who.reason)
        elif who.id is not None:
            self.watch(who.id, who.tenant)

    def remember(self) -> None:
        """
        Remember that the session key of this response belongs to a live session.

        Later WebSockets, event streams and gateway requests with this key then do not
        wait behind requests with unknown keys. Does nothing without a live session.
        """
        state = state_of(self.request)
        if self.request is not None and state is not None and state.row is not None:
            key = self.request.session.session_key
            if key is not None:
                identification.remember(key, is_live=True)

    async def notify_client(self, reason: str) -> None:
        # With a Content-Length, send nothing, so that a cut download looks incomplete.
        if not self.has_length and not self.is_finished:
            await self._send({"type": "http.response.body", "more_body": False})
