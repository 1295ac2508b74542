"""Define the message bus that connects the threads of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from session_limit.bus.base import Bus

# How many messages may wait in a subscriber's queue. A subscriber with more messages
# reads all sessions instead.
MAX_WAITING = 1000

_Queue = asyncio.Queue[Sequence[UUID] | None]


class MemoryBus(Bus):
    """
    The default message bus, which connects the threads of one process.

    This bus needs no broker and takes no options. Other processes read the database
    every second to find the sessions that have ended.
    """

    def __init__(self) -> None:
        self._subscribers: set[tuple[asyncio.AbstractEventLoop, _Queue]] = set()

    def publish(self, ids: Sequence[UUID]) -> None:
        for loop, queue in tuple(self._subscribers):
            try:
                loop.call_soon_threadsafe(_put, queue, ids)
            except RuntimeError:  # the loop is closed
                self._subscribers.discard((loop, queue))

    async def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        subscriber = asyncio.get_running_loop(), _Queue(MAX_WAITING)
        self._subscribers.add(subscriber)
        try:
            yield None
            while True:
                yield await subscriber[1].get()
        finally:
            self._subscribers.discard(subscriber)


def _put(queue: _Queue, ids: Sequence[UUID]) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
    else:
        queue.put_nowait(ids)
