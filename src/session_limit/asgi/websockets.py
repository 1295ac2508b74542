"""Close WebSockets when their session ends, and refuse new ones afterwards."""

from __future__ import annotations

import contextlib

from session_limit.asgi.connection import Connection
from session_limit.asgi.disconnects import ClientDisconnected, Inbox
from session_limit.asgi.hub import current_hub
from session_limit.asgi.types import Application, Message, Receive, Scope, Send
from session_limit.utils.log_once import RateLimitedLog

_FAILURE = RateLimitedLog(
    "The session of a WebSocket could not be identified, and the socket was refused."
)

# Close codes. RFC 6455 leaves 4000 to 4999 to applications. 1013 is registered as "try
# again later".
ENDED = 4401
TRY_AGAIN = 1013


async def serve(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """
    Serve a WebSocket that was opened with a session cookie.

    Closes the WebSocket when its session ends. Refuses the WebSocket with code
    ``ENDED`` if the session has already ended, and with code ``TRY_AGAIN`` if the
    session could not be identified.
    """
    hub = current_hub()
    with Inbox(receive) as inbox:
        socket = _Socket(scope, inbox.receive, send, hub)
        try:
            who = await inbox.run_unless_disconnected(hub.identify(scope))
        except ClientDisconnected:
            # Some servers log an error if a handshake is not answered.
            with contextlib.suppress(Exception):
                await send({"type": "websocket.close"})
            return
        except Exception as error:  # noqa: BLE001 logged
            # Fail closed (ASVS 16.5.3).
            _FAILURE.log(error)
            await socket.refuse(TRY_AGAIN)
            return
        if who.reason is not None:
            await socket.refuse(ENDED, who.reason)
        elif who.id is None:
            await application(scope, inbox.receive, send)
        else:
            socket.watch(who.id, who.tenant)
            await socket.run(application)


class _Socket(Connection):
    disconnect: Message = {"type": "websocket.disconnect", "code": ENDED}
    # Whether the application has accepted and closed the WebSocket. A close code can
    # only be sent on an accepted WebSocket.
    accepted = False
    closed = False

    async def send(self, message: Message) -> None:
        if not self.has_ended:
            self.accepted |= message["type"] == "websocket.accept"
            self.closed |= message["type"] == "websocket.close"
        await super().send(message)

    async def refuse(self, code: int, reason: str = "") -> None:
        """Accept and close the WebSocket at once, without calling the application."""
        await self._receive()
        await self._accept_and_close(code, reason)

    async def notify_client(self, reason: str) -> None:
        if not self.closed:
            await self._accept_and_close(ENDED, reason)

    async def _accept_and_close(self, code: int, reason: str) -> None:
        if not self.accepted:
            # A page sees the close code only if the WebSocket was open. A browser opens
            # a WebSocket only if the server picks a protocol that the page has offered.
            offered = self.scope.get("subprotocols") or [None]
            await self._send({"type": "websocket.accept", "subprotocol": offered[0]})
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
