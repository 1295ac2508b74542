"""WebSockets of a session: refused once it has ended, closed when it ends."""

from __future__ import annotations

import contextlib

from session_limit.asgi.connection import Connection
from session_limit.asgi.disconnects import Gone, Inbox
from session_limit.asgi.hub import current_hub
from session_limit.asgi.types import Application, Message, Receive, Scope, Send
from session_limit.utils.log_once import RateLimitedLog

_FAILURE = RateLimitedLog(
    "The session of a WebSocket could not be identified, and the socket was refused."
)

# Close codes: ours (RFC 6455 leaves 4000 to 4999 to applications), and "try again
# later".
ENDED = 4401
TRY_AGAIN = 1013


async def serve(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a WebSocket that comes with a session's cookie."""
    hub = current_hub()
    with Inbox(receive) as inbox:
        socket = _Socket(scope, inbox.receive, send, hub)
        try:
            who = await inbox.unless_gone(hub.identify(scope))
        except Gone:
            # Some servers report an application that does not answer a handshake.
            with contextlib.suppress(Exception):
                await send({"type": "websocket.close"})
            return
        except Exception as error:  # noqa: BLE001 logged
            # Not known to be live, so refused (ASVS 16.5.3).
            _FAILURE.log(error)
            await socket.refuse(TRY_AGAIN)
            return
        if who.reason is not None:
            await socket.refuse(ENDED, who.reason)
        elif who.id is None:
            await application(scope, inbox.receive, send)
        else:
            socket.watch(who.id)
            await socket.run(application)


class _Socket(Connection):
    disconnect: Message = {"type": "websocket.disconnect", "code": ENDED}
    # Whether the client can be told anything: accepted by the application, or closed.
    accepted = False
    closed = False

    async def send(self, message: Message) -> None:
        if not self.over:
            self.accepted |= message["type"] == "websocket.accept"
            self.closed |= message["type"] == "websocket.close"
        await super().send(message)

    async def refuse(self, code: int, reason: str = "") -> None:
        """Answer the client, and let no application hear of it."""
        await self._receive()
        await self._accept_and_close(code, reason)

    async def say_goodbye(self, reason: str) -> None:
        if not self.closed:
            await self._accept_and_close(ENDED, reason)

    async def _accept_and_close(self, code: int, reason: str) -> None:
        if not self.accepted:
            # A page is told the code of what was open alone. Browsers insist on one
            # of the protocols that they have offered.
            offered = self.scope.get("subprotocols") or [None]
            await self._send({"type": "websocket.accept", "subprotocol": offered[0]})
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
