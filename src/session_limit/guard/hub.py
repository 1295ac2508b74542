"""Who is connected, and what tells them: one hub per event loop, so one per process."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DatabaseError
from django.utils import timezone

from session_limit import bus, registry
from session_limit.conf import conf
from session_limit.guard.asgi import Scope
from session_limit.guard.requests import identify_connection, session_key_of
from session_limit.guard.threads import DatabaseThread
from session_limit.identity import Identity, is_known
from session_limit.verify import read_ended_since, read_plays_ended_since

logger = logging.getLogger("session_limit")

# Hears, in the hub's event loop, the reason of the end of its session, once; and
# ``None`` where that goes on, and one of its plays may not.
Listener = Callable[[str | None], None]

# In seconds: how often what has ended is looked for, and how often everybody connected
# is verified, whatever was heard of them.
SWEEP = 1.0
VERIFY = 60.0
# For so long before the last sweep an ending is looked for again: it may have committed
# later than it was made, on a machine whose clock is behind.
OVERLAP = timedelta(seconds=10)
# How many are verified in one statement.
BATCH = 500
# How long the hub stays without anybody, so that a page that reconnects finds it.
LINGER = 10.0
# Between two attempts to hear the bus: from the first, doubling, up to the last.
BACK_OFF = 0.5, 15.0

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


class Hub:
    """
    Every connection of a session joins it. Whatever may have ended is read from the
    database before anybody is told: an event of the bus is a hint.
    """

    def __init__(self) -> None:
        self._listeners: dict[UUID, set[Listener]] = {}
        self._expires: dict[UUID, datetime] = {}
        self._suspects: set[UUID] = set()
        self._newcomers: set[UUID] = set()
        # Plays that the last sweep found ended, which the next one finds again.
        self._plays_ended: set[UUID] = set()
        self._something = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._asking, self._identifying = DatabaseThread(), DatabaseThread()
        # Of their own, for what is asked of the gateway keeps nobody else waiting; and
        # what writes for it, which may wait for a lock, no other question.
        self.judging, self.renewing = DatabaseThread(), DatabaseThread()
        # For cookies that this process has not found live before.
        self.strangers = DatabaseThread()
        self._unverified = _Trouble("Connected sessions cannot be verified.")
        self._unswept = _Trouble("What has ended cannot be read.")
        self._unheard = _Trouble("The bus is not heard; the sweep goes on.")

    async def identify(self, scope: Scope) -> Identity:
        """Identify a connection's session. Raises what store and database raise."""
        key = session_key_of(scope)
        if key is None:
            return Identity()
        thread = self._identifying if is_known(key) else self.strangers
        return await thread.run(identify_connection, scope)

    def join(self, id: UUID, listener: Listener) -> None:
        """Have ``listener`` told what becomes of the session with this id."""
        self._listeners.setdefault(id, set()).add(listener)
        if not self._tasks:
            loop = asyncio.get_running_loop()
            work = (self._verify(), self._sweep(), self._hear())
            self._tasks = [loop.create_task(each) for each in work]

    def leave(self, id: UUID, listener: Listener) -> None:
        """Tell ``listener`` no more."""
        listeners = self._listeners.get(id)
        if listeners is None:
            return
        listeners.discard(listener)
        if not listeners:
            del self._listeners[id]
            self._expires.pop(id, None)

    def verify(self, id: UUID) -> None:
        """Have the session with this id verified, its credentials too."""
        self._newcomers.add(id)
        self._something.set()

    async def stop(self) -> None:
        """Listen no more. Who is connected is told nothing."""
        await asyncio.gather(*self._stop(), return_exceptions=True)

    def _stop(self) -> list[asyncio.Task[None]]:
        # At once: who joins next begins anew.
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._asking.close()
        self._identifying.close()
        self.judging.close()
        self.renewing.close()
        self.strangers.close()
        return tasks

    def _suspect(self, ids: Iterable[UUID] | None) -> None:
        """Have those among ``ids`` verified who are connected; ``None``: everybody."""
        suspects = self._listeners if ids is None else self._listeners.keys() & set(ids)
        if suspects:
            self._suspects.update(suspects)
            self._something.set()

    async def _verify(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            newcomers, self._newcomers = self._newcomers, set()
            suspects, self._suspects = self._suspects, set()
            # What a bus says has ended comes first.
            await self._verify_all(suspects, thorough=False)
            await self._verify_all(newcomers, thorough=True)

    async def _verify_all(self, ids: set[UUID], *, thorough: bool) -> None:
        waiting, size = list(ids), BATCH
        while waiting:
            batch = waiting[:size]
            try:
                found = await self._asking.run(
                    registry.standings, batch, thorough=thorough
                )
            except DatabaseError as error:
                self._unverified.begins(error)
                self._suspects.update(waiting)
                self._something.set()
                await asyncio.sleep(SWEEP)
                return
            except Exception as error:  # noqa: BLE001 logged, once
                # One by one: what a project's own code makes of one keeps no other
                # from being verified. That one is looked at again within the minute.
                if len(batch) == 1:
                    self._unverified.begins(error)
                    del waiting[:1]
                size = 1
                continue
            self._unverified.ends()
            del waiting[: len(batch)]
            for id, standing in found.items():
                self._settle(id, standing)
                if not thorough:
                    self._tell_changed(id)

    def _settle(self, id: UUID, standing: registry.Standing) -> None:
        if standing.expires_at is not None:
            if id in self._listeners:
                self._expires[id] = standing.expires_at
            return
        self._expires.pop(id, None)
        for listener in self._listeners.pop(id, ()):
            listener(standing.reason)

    def _tell_changed(self, id: UUID) -> None:
        """Tell those whose session goes on that there was news of it."""
        if conf.uses_plays():
            for listener in tuple(self._listeners.get(id, ())):
                listener(None)

    def _sweep_all(self, since: datetime) -> set[UUID]:
        """Return the ids of sessions that have ended since, or whose plays have."""
        ended = set(read_ended_since(since))
        if conf.uses_plays():
            plays = dict(read_plays_ended_since(since))
            ended |= {plays[id] for id in plays.keys() - self._plays_ended}
            self._plays_ended = set(plays)
        return ended

    async def _sweep(self) -> None:
        time = asyncio.get_running_loop().time
        since, verified, in_use = timezone.now(), time(), time()
        while True:
            await asyncio.sleep(SWEEP)
            if self._listeners:
                in_use = time()
            elif time() - in_use >= LINGER:
                self._stop()
                return
            now = timezone.now()
            try:
                ended = await self._asking.run(self._sweep_all, since - OVERLAP)
            except Exception as error:  # noqa: BLE001 logged, once
                self._unswept.begins(error)
                continue
            self._unswept.ends()
            since = now
            self._suspect(ended)
            self._suspect(id for id, at in self._expires.items() if at <= now)
            if time() - verified >= VERIFY:
                verified = time()
                self._newcomers.update(self._listeners)
                self._something.set()

    async def _hear(self) -> None:
        first, last = BACK_OFF
        wait = first
        while True:
            try:
                async with aclosing(bus.get_bus().subscribe()) as heard:
                    async for ids in heard:
                        self._unheard.ends()
                        wait = first
                        self._suspect(ids)
            except Exception as error:  # noqa: BLE001 logged, once
                self._unheard.begins(error)
            await asyncio.sleep(random.uniform(wait / 2, wait))  # noqa: S311 no secret
            wait = min(2 * wait, last)


class _Trouble:
    """Something that may fail every second: logged when it begins and when it ends."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_there = False

    def begins(self, error: Exception) -> None:
        if not self.is_there:
            logger.error(self.text, exc_info=error)
        self.is_there = True

    def ends(self) -> None:
        if self.is_there:
            logger.info("Over: %s", self.text)
        self.is_there = False
