"""A TCP proxy between one server and a service. It stalls, delays and cuts."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from tests.history.network import CHECKER

# What a stalled connection reads ahead is kept, and delivered when it goes on.
CHUNK = 65536


@dataclass(eq=False, slots=True)
class Connection:
    """A pair of streams, and whether its bytes pass."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    passes: asyncio.Event

    def cut(self) -> None:
        """Reset both ends, as a firewall does that rejects."""
        for writer in self.writers:
            writer.transport.abort()


class Proxy:
    """Listens on a port of the checker's own address."""

    def __init__(self, port: int, host: str, target: int) -> None:
        self.port = port
        self.target = host, target
        self.delay = 0.0
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        # The one that new connections get: cleared while everything stalls.
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
        """Reset every connection; return how many."""
        count = len(self._connections)
        for connection in tuple(self._connections):
            connection.cut()
        return count

    def forget(self) -> int:
        """
        Never again pass a byte of the connections that exist, as a firewall that has
        forgotten them. New ones pass. Return how many were forgotten.
        """
        passing = [each for each in self._connections if each.passes is self._open]
        for connection in passing:
            connection.passes = asyncio.Event()
        return len(passing)

    def stall(self) -> None:
        """Hold all bytes, of new connections too, until ``go_on()``."""
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
                # Its end is not passed on either, while it stalls.
                while not connection.passes.is_set():
                    await connection.passes.wait()
                if not data:
                    return
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
