"""HTTP: a response that streams is cut when its session ends."""

from __future__ import annotations

import asyncio

from session_limit.asgi.connection import Connection
from session_limit.asgi.hub import current_hub
from session_limit.asgi.types import Application, Message, Receive, Scope, Send
from session_limit.store import identification
from session_limit.store.state import CONNECTION, state_of
from session_limit.utils.log_once import RateLimitedLog

# For how many seconds a response has to stream for its end to be worth waiting for: the
# parts of a long page are there before.
LASTING = 0.05

_FAILURE = RateLimitedLog("Whose response this is could not be found out.")


async def serve(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a request that comes with a session's cookie."""
    response = _Response({**scope}, receive, send, current_hub())
    response.scope[CONNECTION] = response
    try:
        await response.run(application)
        response.remember()
    finally:
        if response.timer is not None:
            response.timer.cancel()
        # Nothing that refers to itself is left to the garbage collector.
        del response.scope[CONNECTION]


class _Response(Connection):
    disconnect: Message = {"type": "http.disconnect"}
    has_length = False
    is_finished = False
    timer: asyncio.TimerHandle | None = None
    lasts = False
    _identifying: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_length = any(
                bytes(name).lower() == b"content-length"
                for name, _ in message.get("headers", ())
            )
        elif message.get("more_body"):
            self._goes_on()
        elif not self.over:
            self.is_finished = message["type"] == "http.response.body"
        await super().send(message)

    def _goes_on(self) -> None:
        """More is to come: of a long page at once, of what streams for as long as."""
        if self.lasts:
            self._find_whose()
        elif self.timer is None:
            loop = asyncio.get_running_loop()
            self.timer = loop.call_later(LASTING, self._find_whose)

    def _find_whose(self) -> None:
        """Watch the session that it streams to, as soon as that is known."""
        self.lasts = True
        if self._watched is not None:
            return
        if self.request is not None:
            state = state_of(self.request)
            if state is not None and state.row is not None:
                self.watch(state.row.id)
        elif self._identifying is None:
            # Other code's response, which our middleware has not seen.
            identify = self._identify()
            self._identifying = asyncio.get_running_loop().create_task(identify)

    async def _identify(self) -> None:
        try:
            who = await self.hub.identify(self.scope)
        except Exception as error:  # noqa: BLE001 logged
            _FAILURE.log(error)
            self._end("")
            return
        if who.reason is not None:
            self._end(who.reason)
        elif who.id is not None:
            self.watch(who.id)

    def remember(self) -> None:
        """
        Remember a session that the middleware has found live. Its first socket, stream
        and question to the gateway are then not queued among those of strangers.
        """
        state = state_of(self.request)
        if self.request is not None and state is not None and state.row is not None:
            key = self.request.session.session_key
            if key is not None:
                identification.remember(key, is_live=True)

    async def say_goodbye(self, reason: str) -> None:
        # Nobody is to take it for a whole download.
        if not self.has_length and not self.is_finished:
            await self._send({"type": "http.response.body", "more_body": False})
