"""How many questions one process answers, beside what makes the same round trips."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Iterable

CONNECTIONS = 16


async def _ask(port: int, requests: Iterable[bytes], until: float) -> tuple[int, int]:
    """
    Ask over one connection until then, or once all were asked; return how many answers
    came, and how many were no yes.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = refused = 0
    for request in requests:
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


def _turns(paths: list[tuple[str, str]], connections: int) -> list[list[bytes]]:
    """Return what each connection asks for: ``paths``, each with a session's key."""
    head = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sessionid={}\r\n\r\n"
    requests = [head.format(*each).encode() for each in paths]
    return [requests[n::connections] or requests for n in range(connections)]


async def _all(port: int, turns: Iterable[Iterable[bytes]], until: float) -> float:
    """Return how many answers came in a second."""
    began = time.monotonic()
    found = await asyncio.gather(*(_ask(port, turn, until) for turn in turns))
    assert not sum(refused for _, refused in found), "it was refused"
    return sum(answered for answered, _ in found) / (time.monotonic() - began)


def rate(
    port: int,
    paths: list[tuple[str, str]],
    seconds: float,
    connections: int = CONNECTIONS,
) -> float:
    """Return how many of ``paths`` a server answers in a second, again and again."""
    turns = map(itertools.cycle, _turns(paths, connections))
    return asyncio.run(_all(port, turns, time.monotonic() + seconds))


def rate_once(port: int, paths: list[tuple[str, str]]) -> float:
    """Return how many it answers in a second, each of ``paths`` once."""
    return asyncio.run(_all(port, _turns(paths, CONNECTIONS), math.inf))
