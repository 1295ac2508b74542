"""Hold a WebSocket, a streaming response or the event stream open, as a page does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.history.browser import COOKIE, head, read_head
from tests.history.history import Connection, Recorder

# Seconds that a connection may take to open.
PATIENCE = 6.0
# The close code of SessionGuard for a session that has ended.
ENDED = 4401
# Seconds between two messages to a WebSocket.
BEAT = 1.0

PATHS = {"stream": "/stream/", "events": "/account/sessions/events/"}


@dataclass(eq=False, slots=True)
class Held:
    """One connection, opened with the cookie of ``session`` and held until it ends."""

    kind: str
    server: int
    address: tuple[str, int]
    user: str
    session: str
    cookie: str
    recorder: Recorder
    opened: float | None = None
    # How it ended, unless the server or a fault ends it.
    how: str = "open"
    why: str = ""

    async def hold(self) -> None:
        """
        Open the connection, hold it, and record how it ended.

        Cancel this task to close the connection from the client's side.
        """
        invoked = self.recorder.now()
        ended: float | None = None
        try:
            if self.kind == "socket":
                await self._hold_socket()
            else:
                await self._hold_response(PATHS[self.kind])
        except asyncio.CancelledError:
            # The client closes it. It has set ``how``.
            ended = self.recorder.now()
        except (
            OSError,
            TimeoutError,
            EOFError,
            ConnectionClosed,
            InvalidHandshake,
        ) as error:
            self.how, self.why = "lost", type(error).__name__
        if self.opened is None:
            self.how = "refused"
        self.recorder.add(
            Connection(
                kind=self.kind,
                server=self.server,
                user=self.user,
                session=self.session,
                invoked=invoked,
                opened=self.opened,
                ended=self.recorder.now() if ended is None else ended,
                how=self.how,
                why=self.why,
            )
        )

    async def _hold_socket(self) -> None:
        url = "ws://{}:{}/socket/".format(*self.address)
        cookie = {"Cookie": f"{COOKIE}={self.cookie}"}
        # Without pings, only the server or a fault ends the connection.
        async with connect(
            url,
            additional_headers=cookie,
            open_timeout=PATIENCE,
            close_timeout=0.1,
            ping_interval=None,
            proxy=None,
        ) as socket:
            try:
                await self._talk(socket)
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd is not None else None
                self.how = "told" if code == ENDED else "lost"
                self.why = str(code) if error.rcvd is None else error.rcvd.reason

    async def _talk(self, socket) -> None:
        """Send messages and read the answers, until the server closes the socket."""
        # SessionGuard accepts some sockets only to close them with a reason. A socket
        # counts as opened once the application has answered.
        await socket.send("hello")
        await socket.recv()
        self.opened = self.recorder.now()
        speaking = asyncio.ensure_future(self._speak(socket))
        try:
            while True:
                await socket.recv()
        finally:
            speaking.cancel()

    async def _speak(self, socket) -> None:
        while True:
            await asyncio.sleep(BEAT)
            await socket.send("hello")

    async def _hold_response(self, path: str) -> None:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(*self.address)
        try:
            async with asyncio.timeout(PATIENCE):
                accept = "text/event-stream" if self.kind == "events" else "*/*"
                writer.write(head("GET", path, self.cookie, b"", accept))
                status, _ = await read_head(reader)
            if status != 200:
                self.why = str(status)
                return
            await self._read(reader)
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Read until the session or the response has ended."""
        last = b""
        while True:
            part = await reader.read(4096)
            last = (last + part)[-4096:]
            if self.kind == "events" and b"event: ended" in last:
                if self.opened is not None:
                    self.how = "told"
                return
            if not part:
                # With a final chunk, the response was ended and not cut by a fault.
                is_whole = last.endswith(b"0\r\n\r\n")
                self.how = "told" if is_whole and self.kind == "stream" else "lost"
                return
            if self.opened is None:
                self.opened = self.recorder.now()
