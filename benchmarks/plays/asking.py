"""How many questions one process answers, beside what makes the same round trips."""

from __future__ import annotations

import asyncio
import itertools
import time

CONNECTIONS = 16


async def _ask(port: int, requests: list[bytes], until: float) -> tuple[int, int]:
    """Ask over one connection until then; return how many answers came, and how many
    were no yes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = refused = 0
    for request in itertools.cycle(requests):
        if time.monotonic() >= until:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        answered += 1
        refused += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    return answered, refused


def rate(
    port: int,
    paths: list[tuple[str, str]],
    seconds: float,
    connections: int = CONNECTIONS,
) -> float:
    """
    Return how many of these ``paths`` a server answers in a second, each asked for with
    the session's key beside it.
    """
    head = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={}\r\n\r\n"
    requests = [head.format(*each).encode() for each in paths]

    async def all_of_them() -> list[tuple[int, int]]:
        until = time.monotonic() + seconds
        turns = [requests[n::connections] or requests for n in range(connections)]
        return await asyncio.gather(*(_ask(port, turn, until) for turn in turns))

    found = asyncio.run(all_of_them())
    assert not sum(refused for _, refused in found), "it was refused"
    return sum(answered for answered, _ in found) / seconds
