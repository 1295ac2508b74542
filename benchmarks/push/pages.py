"""Open pages, as a server sees them: bytes over sockets, and when they came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from http.cookies import SimpleCookie

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

# In seconds: what comes later never comes.
PATIENCE = 5.0
COOKIE = "sessionid"


class Stream:
    """The event stream of a session."""

    async def open(self, port: int, key: str) -> Stream:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        lines = ["GET /sessions/events/ HTTP/1.1", "Host: x", f"Cookie: {COOKIE}={key}"]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        await self.until(b"event: live")
        return self

    async def until(self, wanted: bytes) -> int | None:
        """Return when these bytes came, in nanoseconds; ``None`` for never."""
        seen = b""
        try:
            async with asyncio.timeout(PATIENCE):
                while wanted not in seen:
                    part = await self.reader.read(4096)
                    if not part:
                        return None
                    seen += part
        except TimeoutError:
            return None
        return time.monotonic_ns()

    async def ended(self) -> int | None:
        return await self.until(b'"reason": "displaced"')

    async def close(self) -> None:
        self.writer.close()


class Consumer:
    """The WebSocket of a session, which a Channels consumer serves."""

    async def open(self, port: int, key: str) -> Consumer:
        headers = {"Cookie": f"{COOKIE}={key}"}
        address = f"ws://127.0.0.1:{port}/"
        self.socket = await connect(address, additional_headers=headers)
        async with asyncio.timeout(PATIENCE):
            await self.socket.recv()
        return self

    async def ended(self) -> int | None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.socket.recv()
        except (TimeoutError, ConnectionClosed):
            return None
        return time.monotonic_ns()

    async def close(self) -> None:
        await self.socket.close()


class Polling:
    """A page that asks every five seconds, from some moment on."""

    INTERVAL = 5.0

    async def open(self, port: int, key: str) -> Polling:
        self.port, self.key = port, key
        return self

    async def ended(self) -> int | None:
        while True:
            status = await get(self.port, "/sessions/status/", self.key)
            if json.loads(status.body)["code"] == "session_ended":
                return time.monotonic_ns()
            await asyncio.sleep(self.INTERVAL)

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: Message
    body: bytes

    @property
    def key(self) -> str:
        """The session's key that it sets."""
        cookies: SimpleCookie = SimpleCookie()
        for header in self.headers.get_all("Set-Cookie", []):
            cookies.load(header)
        return cookies[COOKIE].value


async def get(port: int, path: str, key: str = "") -> Answer:
    return await asyncio.to_thread(_get, port, path, key)


def _get(port: int, path: str, key: str) -> Answer:
    with contextlib.closing(HTTPConnection("127.0.0.1", port, PATIENCE)) as connection:
        headers = {"Cookie": f"{COOKIE}={key}"} if key else {}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
