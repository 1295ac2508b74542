"""Open pages, as a server sees them: bytes over sockets, and when they came."""

from __future__ import annotations

import asyncio
import json
import time
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


class Answer:
    """An answer over HTTP."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value

    @property
    def key(self) -> str:
        """The session's key that it sets."""
        return SimpleCookie(self.headers["set-cookie"])[COOKIE].value


async def get(port: int, path: str, key: str = "") -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1", "Host: x", "Connection: close"]
    if key:
        lines.append(f"Cookie: {COOKIE}={key}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    raw = await reader.read()
    writer.close()
    return Answer(raw)
