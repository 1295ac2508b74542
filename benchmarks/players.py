"""
Renew plays over HTTP, evenly spread over time, in a process of its own.

Run ``python -m benchmarks.players`` with the arguments of ``renew()`` as JSON on the
standard input. Prints what ``renew()`` returns as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

TOKEN = "c" * 32
END = b"\r\n\r\n"


class Player(asyncio.Protocol):
    """A connection over which one renewal is sent after another."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.due = 0.0
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.generator.free(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(END)
        if not end:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        self.received = b""
        self.generator.note(self.due, head.startswith(b"HTTP/1.1 200"))
        self.generator.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.generator.lost += bool(self.due)


class Generator:
    """Sends each request when it is due, over any connection that is free."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests = requests
        self.delays: list[float] = []
        self.lost = 0
        self._free: asyncio.Queue[Player] = asyncio.Queue()

    def free(self, player: Player) -> None:
        player.due = 0.0
        self._free.put_nowait(player)

    def note(self, due: float, is_renewed: bool) -> None:
        self.delays.append(1000 * (time.monotonic() - due))
        self.lost += not is_renewed

    async def send(self, first: int, count: int, pause: float) -> None:
        begun = time.monotonic()
        for number in range(count):
            due = begun + number * pause
            # Timers of the event loop are too coarse to send thousands a second.
            if due - time.monotonic() > 0.001:
                await asyncio.sleep(due - time.monotonic())
            player = await self._free.get()
            player.due = due
            player.transport.write(self.requests[(first + number) % len(self.requests)])

    async def finish(self, players: list[Player]) -> None:
        """Wait until every request has been answered."""
        for _ in range(200):
            if not any(each.due for each in players):
                break
            await asyncio.sleep(0.05)
        self.lost += sum(bool(each.due) for each in players)


def renewal(key: str, path: str) -> bytes:
    """Return the request with which the package's script renews a play."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        "Origin: http://x",
        "Accept: application/json",
        "Content-Type: application/json",
        "Content-Length: 2",
        f"Cookie: csrftoken={TOKEN}; sessionid={key}",
        f"X-CSRFToken: {TOKEN}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n{}").encode()


async def renew(
    port: int,
    people: list[tuple[str, str]],
    spans: list[float],
    pause: float,
    connections: int,
) -> None:
    """
    Send a request every ``pause`` seconds, for each of ``spans`` in seconds.

    ``people`` contains pairs of a session key and a path. Before each span, waits for a
    line on the standard input. After each span, prints as JSON the delays in
    milliseconds between the time when each request was due and its response, the number
    of requests that were not answered with 200, and the CPU seconds of this process.
    """
    generator = Generator([renewal(*each) for each in people])
    loop = asyncio.get_running_loop()
    players = []
    for _ in range(connections):
        _, player = await loop.create_connection(
            lambda: Player(generator), "127.0.0.1", port
        )
        players.append(player)
    sent = 0
    for seconds in spans:
        sys.stdin.readline()
        generator.delays, generator.lost = [], 0
        cpu, count = time.process_time(), round(seconds / pause)
        await generator.send(sent, count, pause)
        await generator.finish(players)
        sent += count
        found = {"delays": generator.delays, "lost": generator.lost}
        print(json.dumps({**found, "cpu": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    asyncio.run(renew(**json.loads(sys.stdin.readline())))
