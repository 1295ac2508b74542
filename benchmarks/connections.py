"""Provide an HTTP/1.1 client that reuses its connection and uses little CPU time."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

COOKIE = "sessionid"
END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    head: bytes
    milliseconds: float

    @property
    def is_ok(self) -> bool:
        return self.head.startswith(b"HTTP/1.1 200")

    def header(self, name: str) -> str:
        """
        Return the first header with this lower-case name, or ``""`` if there is none.
        """
        found = self.head.lower().find(f"\r\n{name}: ".encode())
        rest = self.head[found + len(name) + 4 :] if found >= 0 else b""
        return rest.partition(b"\r\n")[0].decode()

    @property
    def key(self) -> str:
        """Return the session key from the cookie that the response sets."""
        rest = self.head.partition(f"{COOKIE}=".encode())[2]
        return rest.partition(b";")[0].decode()


class Connection:
    """An HTTP connection to a server on 127.0.0.1, for one request at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, path: str, key: str, method: str = "GET") -> None:
        """
        Send a request with the session key ``key``, without waiting for the response.
        """
        lines = f"{method} {path} HTTP/1.1", "Host: x", "Content-Length: 0"
        head = "\r\n".join([*lines, f"Cookie: {COOKIE}={key}", "", ""])
        self.writer.write(head.encode())

    async def ask(self, path: str, key: str = "", method: str = "GET") -> Answer:
        """Send a request, read the whole response, and return it."""
        begun = time.perf_counter()
        self.send(path, key, method)
        head = await self.reader.readuntil(END)
        answer = Answer(head, 0)
        if answer.header("transfer-encoding") == "chunked":
            await self.reader.readuntil(b"0" + END)
        else:
            await self.reader.readexactly(int(answer.header("content-length") or 0))
        return Answer(head, (time.perf_counter() - begun) * 1000)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()
