"""Who is connected, and what tells them: one hub per event loop, so one per process."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing
from itertools import islice
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError, OperationalError

from session_limit import bus
from session_limit.asgi.database_threads import DatabaseThread, NotAnswered
from session_limit.asgi.scopes import identify_connection, session_key_of
from session_limit.asgi.sweep import Sweep
from session_limit.asgi.types import Scope
from session_limit.conf import conf
from session_limit.registry import connected
from session_limit.store.identification import Identity, is_known

logger = logging.getLogger("session_limit")

# Called in the hub's event loop: once with the reason when the session has ended, and
# with ``None`` when the session goes on and one of its plays may have ended.
Listener = Callable[[str | None], None]

# In seconds: how often the sweep asks, and how often every connected session is
# verified with its credentials.
SWEEP = 1.0
VERIFY = 60.0
# How many sessions are verified in one statement.
BATCH = 500
# In seconds: when to ask again about a session that the bus has named and that reads as
# live. A bus may be faster than the replication between the nodes of a cluster.
AGAIN = 0.05, 0.2
# In seconds: after this, a session that the bus has named counts as ended if the
# database has not said otherwise. Time for two attempts (see ``threads.PATIENCE``).
UNREADABLE = 5.0
# In seconds: how long the hub stays without connections, so that a page that
# reconnects finds it.
LINGER = 10.0
# In seconds: the first and the longest pause between two attempts to hear the bus.
BACK_OFF = 0.5, 15.0

# What a call to a database raises that is away or does not answer.
_AWAY = InterfaceError, OperationalError, NotAnswered

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        # A loop may have been closed without a word, and threads outlive it.
        for reference in _hubs.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                _hubs.pop(other).close_threads()
        _hubs[loop] = Hub()
    return _hubs[loop]


class Hub:
    """
    Know the connections of each session, and tell them when it ends.

    An event of the bus is a hint. The hub reads the database before it tells anybody,
    and waits for no answer without a bound: see ``DatabaseThread``.
    """

    def __init__(self) -> None:
        self._listeners: dict[UUID, set[Listener]] = {}
        # Sessions to read: those with news, whose connections hear of it even if the
        # session goes on; those that may have ended; and those to verify thoroughly.
        self._news: set[UUID] = set()
        self._doubtful: set[UUID] = set()
        self._newcomers: set[UUID] = set()
        # Those that the bus has named and that have not been read since.
        self._named: dict[UUID, asyncio.TimerHandle] = {}
        self._something = asyncio.Event()
        self._unrecorded: asyncio.Queue[list[UUID]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        # What may wait for a row lock has threads of its own, and so has the gateway.
        self._locking, self.renewing = DatabaseThread(), DatabaseThread()
        self._asking = DatabaseThread(locking=self._locking)
        self._identifying = DatabaseThread(locking=self._locking)
        self.judging = DatabaseThread(locking=self.renewing)
        # For cookies that this process has not found live before.
        self.strangers = DatabaseThread(locking=self._locking)
        self._sweeper = Sweep()
        self._unverified = _Trouble("Connected sessions cannot be verified")
        self._unswept = _Trouble("What has ended cannot be read")
        self._unheard = _Trouble("The bus is not heard, and the sweep goes on")
        self._unwritten = _Trouble("What has ended cannot be recorded")

    async def identify(self, scope: Scope) -> Identity:
        """Identify a connection's session. Raises what store and database raise."""
        key = session_key_of(scope)
        if key is None:
            return Identity()
        thread = self._identifying if is_known(key) else self.strangers
        return await thread.run(identify_connection, scope)

    def join(self, id: UUID, listener: Listener) -> None:
        """Call ``listener`` from now on when something happens to a session."""
        self._listeners.setdefault(id, set()).add(listener)
        if not self._tasks:
            loop = asyncio.get_running_loop()
            work = (self._verify(), self._sweep(), self._hear(), self._record())
            self._tasks = [loop.create_task(each) for each in work]

    def leave(self, id: UUID, listener: Listener) -> None:
        """Stop calling ``listener`` for the session with this id."""
        listeners = self._listeners.get(id)
        if listeners is None:
            return
        listeners.discard(listener)
        if not listeners:
            del self._listeners[id]

    def verify(self, id: UUID) -> None:
        """Verify the session with this id soon, its credentials too."""
        self._newcomers.add(id)
        self._something.set()

    async def stop(self) -> None:
        """Stop listening. Connected clients are not notified."""
        await asyncio.gather(*self._stop(), return_exceptions=True)

    def _stop(self) -> list[asyncio.Task[None]]:
        # Forget the tasks at once, so that the next connection starts new ones.
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for timer in self._named.values():
            timer.cancel()
        self._named.clear()
        self.close_threads()
        return tasks

    def close_threads(self) -> None:
        """End the threads, after the calls that wait. A later call starts them anew."""
        reading = self._asking, self._identifying, self.judging, self.strangers
        for thread in (*reading, self._locking, self.renewing):
            thread.close()

    def _hint(self, ids: Iterable[UUID] | None) -> None:
        """
        Read the connected sessions among ``ids``, which the bus has named, or all
        connected sessions if ``ids`` is ``None``.
        """
        if ids is None:
            # The bus was connected again. Nothing says that any of these has ended.
            self._read_soon(self._news, self._listeners)
            return
        named = self._listeners.keys() & set(ids)
        loop = asyncio.get_running_loop()
        for id in named - self._named.keys():
            self._named[id] = loop.call_later(UNREADABLE, self._give_up, id)
        self._read_soon(self._news, named)
        for seconds in AGAIN if named else ():
            loop.call_later(seconds, self._read_soon, self._doubtful, named)

    def _read_soon(self, waiting: set[UUID], ids: Iterable[UUID]) -> None:
        """Add the connected sessions among ``ids`` to ``waiting``, to be read soon."""
        connected = self._listeners.keys() & set(ids)
        if connected:
            waiting.update(connected)
            self._something.set()

    def _give_up(self, id: UUID) -> None:
        """End the connections of a session that the bus named and no read has found."""
        self._named.pop(id, None)
        self._end(id, "")

    async def _verify(self) -> None:
        while True:
            await self._something.wait()
            # What a bus names comes first, and a batch at a time, so that it need not
            # wait until everybody else has been read.
            waiting = self._news or self._doubtful or self._newcomers
            if not waiting:
                self._something.clear()
                continue
            ids = set(islice(waiting, BATCH))
            waiting -= ids
            try:
                await self._read(ids, waiting)
            except (DatabaseError, NotAnswered) as error:
                self._unverified.begins(error)
                waiting |= ids & self._listeners.keys()
                await asyncio.sleep(SWEEP)

    async def _read(self, ids: set[UUID], waiting: set[UUID]) -> None:
        """Read sessions that were taken from ``waiting``, and tell their listeners."""
        thorough = waiting is self._newcomers
        try:
            found = await self._asking.run(connected.standings, ids, thorough=thorough)
        except (DatabaseError, NotAnswered):
            raise
        except Exception as error:  # noqa: BLE001 logged, once
            # Read them one by one. The project's own code may fail for one session, and
            # the others must still be verified. VERIFY brings this one up again.
            if len(ids) > 1:
                for id in ids:
                    await self._read({id}, waiting)
            else:
                self._unverified.begins(error)
            return
        self._unverified.ends()
        for id, standing in found.items():
            if id not in self._news:
                self._was_read(id)
            self._tell(id, standing, has_news=waiting is self._news)
        unrecorded = [id for id, each in found.items() if not each.is_recorded]
        if unrecorded:
            self._unrecorded.put_nowait(unrecorded)

    def _was_read(self, id: UUID) -> None:
        timer = self._named.pop(id, None)
        if timer is not None:
            timer.cancel()

    def _tell(self, id: UUID, standing: connected.Standing, *, has_news: bool) -> None:
        if not standing.is_live:
            self._end(id, standing.reason)
        elif has_news:
            self._tell_changed(id)

    def _end(self, id: UUID, reason: str) -> None:
        """Tell the listeners of a session that it has ended."""
        for listener in self._listeners.pop(id, ()):
            listener(reason)

    def _tell_changed(self, id: UUID) -> None:
        """Tell the listeners of a live session that one of its plays may have ended."""
        if conf.uses_plays():
            for listener in tuple(self._listeners.get(id, ())):
                listener(None)

    async def _record(self) -> None:
        """Write down the endings that were read from rows still marked live."""
        while True:
            ids = await self._unrecorded.get()
            try:
                await self._locking.run(connected.record_endings, ids)
            except Exception as error:  # noqa: BLE001 logged, once
                self._unwritten.begins(error)
            else:
                self._unwritten.ends()

    async def _sweep(self) -> None:
        time = asyncio.get_running_loop().time
        due = verified = in_use = time()
        while True:
            # Keep a fixed rate, whatever time each answer takes.
            due = max(due + SWEEP, time())
            await asyncio.sleep(due - time())
            if self._listeners:
                in_use = time()
                await self._sweep_once()
            elif time() - in_use >= LINGER:
                self._stop()
                return
            if time() - verified >= VERIFY:
                verified = time()
                self._read_soon(self._newcomers, self._listeners)

    async def _sweep_once(self) -> None:
        ids = self._sweeper.next_ids(self._listeners.keys())
        try:
            reading = await self._asking.run(
                self._sweeper.read, ids, len(self._listeners)
            )
        except Exception as error:  # noqa: BLE001 logged, once
            self._unswept.begins(error)
            return
        self._unswept.ends()
        self._sweeper.note(ids, reading)
        self._read_soon(self._doubtful, reading.doubtful)
        for id in reading.changed:
            self._tell_changed(id)

    async def _hear(self) -> None:
        time = asyncio.get_running_loop().time
        first, last = BACK_OFF
        wait = first
        while True:
            began, carrier = time(), None
            try:
                carrier = bus.get_bus()
                async with aclosing(carrier.subscribe()) as heard:
                    async for ids in heard:
                        self._unheard.ends()
                        self._hint(ids)
            except Exception as error:  # noqa: BLE001 logged, once
                self._unheard.begins(error, bus.failure_of(carrier, error))
            # Each connection makes the hub read every session. A server that closes
            # connections as soon as they are made must not cause that all the time.
            if time() - began >= last:
                wait = first
            await asyncio.sleep(random.uniform(wait / 2, wait))  # noqa: S311 no secret
            wait = min(2 * wait, last)


class _Trouble:
    """Something that may fail every second: logged when it begins and when it ends."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_there = False

    def begins(self, error: Exception, what: str = "") -> None:
        """
        Log ``error``, unless the trouble is there already. ``what`` says more about it.

        One line is enough if that is given, or if the database does not answer: a
        traceback says nothing more, and the error's text may quote a password.
        """
        if not self.is_there:
            is_known = bool(what) or isinstance(error, _AWAY)
            what = what or type(error).__name__
            exc_info = None if is_known else error
            logger.error("%s: %s", self.text, what, exc_info=exc_info)
        self.is_there = True

    def ends(self) -> None:
        if self.is_there:
            logger.info("Over: %s.", self.text)
        self.is_there = False
