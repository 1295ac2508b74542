"""Provide a TCP proxy between a server and a service that injects faults."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from tests.history.network import CHECKER

# Bytes that a stalled connection reads ahead and delivers when it continues.
CHUNK = 65536


@dataclass(eq=False, slots=True)
class Connection:
    """A pair of streams. ``passes`` is set while their bytes are passed on."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    passes: asyncio.Event

    def cut(self) -> None:
        """Reset both ends, like a firewall that rejects the connection."""
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """
    A proxy that listens on a port of the checker's address.

    ``delay`` is the pause before each chunk is passed on, in seconds.
    """

    def __init__(self, port: int, host: str, target: int) -> None:
        self.port = port
        self.target = host, target
        self.delay = 0.0
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        # New connections share this event. It is cleared while everything stalls.
        self._open = asyncio.Event()
        self._open.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, CHECKER, self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.passes.set()
        self._open.set()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def cut(self) -> int:
        """Reset every connection, and return their number."""
        count = len(self._connections)
        for connection in tuple(self._connections):
            connection.cut()
        return count

    def forget(self) -> int:
        """
        Pass no more bytes of the existing connections, like a firewall that has
        forgotten them. New connections work. Return how many were forgotten.
        """
        passing = [each for each in self._connections if each.passes is self._open]
        for connection in passing:
            connection.passes = asyncio.Event()
        return len(passing)

    def stall(self) -> None:
        """Hold the bytes of all connections, new ones too, until ``go_on()``."""
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._open.wait()
            there_reader, there = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        connection = Connection((writer, there), self._open)
        self._connections.add(connection)
        try:
            pumps = [
                asyncio.ensure_future(self._pump(connection, reader, there)),
                asyncio.ensure_future(self._pump(connection, there_reader, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
        finally:
            self._connections.discard(connection)
            self._tasks.discard(task)
            for each in connection.writers:
                each.close()

    async def _pump(
        self,
        connection: Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = await reader.read(CHUNK)
                # While it stalls, the end of a stream is not passed on either.
                while not connection.passes.is_set():
                    await connection.passes.wait()
                if not data:
                    return
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
