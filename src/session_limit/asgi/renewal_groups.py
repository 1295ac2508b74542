"""Renew the plays that wait at the same moment with a single SQL statement."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from session_limit import live_keys
from session_limit.asgi.database_threads import (
    MAX_WAITING,
    DatabaseThread,
    TooManyWaiting,
)

# How many plays one statement renews at most.
MOST = 50
# How many renewals of one session may wait. Refused renewals need statements of their
# own, so a client that invents plays must not fill the groups of others.
MOST_OF_SESSION = 10

Asked = tuple[str, UUID]


class RenewalGroups:
    """
    Renews plays for an event loop, in a thread whose waits have a limit.

    While the database works on one group of renewals, the next ones wait and become a
    group. So a slow database or network does not limit how many plays a server can
    renew in a second, and a busy server spends less on each of them.
    """

    def __init__(self, thread: DatabaseThread) -> None:
        self._thread = thread
        self._waiting: list[tuple[Asked, asyncio.Future[bool]]] = []
        # How many renewals of each session key wait or run.
        self._counts: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    async def renew(self, key: str, play: UUID) -> bool:
        """
        Renew a play, and return whether Django's view need not be called.

        Raises ``NotAnswered`` if the database does not answer in time or too many
        renewals wait, and the errors of the session engine and the database.
        """
        is_full = len(self._waiting) >= MAX_WAITING
        if is_full or self._counts[key] >= MOST_OF_SESSION:
            raise TooManyWaiting("Too many renewals wait for the database.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(((key, play), future))
        if self._task is None:
            self._task = loop.create_task(self._work())
        self._counts[key] += 1
        try:
            return await future
        finally:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

    async def _work(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                try:
                    await self._renew(group)
                except Exception as error:  # noqa: BLE001 the callers get it
                    # The others would wait as long, and one after another.
                    group += self._waiting
                    self._waiting = []
                    _settle([future for _, future in group], error)
        finally:
            self._task = None

    async def _renew(self, group: list[tuple[Asked, asyncio.Future[bool]]]) -> None:
        asked = [each for each, future in group if not future.done()]
        answers = await self._thread.run(live_keys.renew_for_players, asked)
        answer_of = dict(zip(asked, answers, strict=True))
        for each, future in group:
            if not future.done():
                future.set_result(answer_of[each])


def _settle(futures: Sequence[asyncio.Future[bool]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
