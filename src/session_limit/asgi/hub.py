"""Notify the open connections of this process when their sessions end."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Collection, Hashable, Iterable
from contextlib import aclosing
from itertools import islice
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError, OperationalError

from session_limit import bus
from session_limit.asgi.database_threads import DatabaseThread, NotAnswered
from session_limit.asgi.listeners import Listener, Listeners
from session_limit.asgi.renewal_groups import RenewalGroups
from session_limit.asgi.scopes import identify_connection, session_key_of, tenant_of
from session_limit.asgi.store_watch import StoreWatch
from session_limit.asgi.sweep import Sweep
from session_limit.asgi.types import Scope
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.registry import connected
from session_limit.store import tenants
from session_limit.store.identification import Identity, is_known
from session_limit.utils.log_once import OutageLog

# How many seconds pass between two sweeps, which read from the database which sessions
# have ended, and between two checks of the credentials of every connected session.
SWEEP = 1.0
VERIFY = 60.0
# How many sessions are read in one statement.
BATCH = 500
# After how many seconds the hub reads a session again that a bus message has named. A
# bus may be faster than the replication between the nodes of a database cluster, and
# the first read then still finds the session live.
REREAD_AFTER = 0.05, 0.2
# After how many seconds a session that the bus has named counts as ended if it could
# not be read. That is time for two attempts (see ``database_threads.PATIENCE``).
GIVE_UP_AFTER = 5.0
# How many seconds the hub keeps running without connections, so that a page that
# reconnects need not start it again.
LINGER = 10.0
# The first and the longest pause, in seconds, before the hub subscribes again.
BACK_OFF = 0.5, 15.0

# The errors of a call to a database that is unreachable or does not answer.
_UNANSWERED = InterfaceError, OperationalError, NotAnswered

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub() -> Hub:
    """Return the running event loop's ``Hub``, which the first call creates."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        # Nothing reports that a loop was closed, and the threads of its hub outlive it.
        for reference in _hubs.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                _hubs.pop(other).close_threads()
        _hubs[loop] = Hub()
    return _hubs[loop]


class Hub:
    """
    Notifies the open connections of each session when the session ends.

    Each event loop has one hub. Four sources report endings to the hub: the message
    bus, the sweep (a read of the database every second), a regular check of the
    sessions' credentials and ``StoreWatch``. A message from the bus is only a hint, so
    the hub reads the database before it notifies anyone. Reads have a time limit: see
    ``DatabaseThread``.
    """

    def __init__(self) -> None:
        self._listeners = Listeners()
        # The ids of sessions to read. The bus has named the sessions in _news, and the
        # hub calls their listeners even if the sessions are live. Sessions in _doubtful
        # may have ended. Sessions in _to_verify are read with their credentials.
        self._news: set[UUID] = set()
        self._doubtful: set[UUID] = set()
        self._to_verify: set[UUID] = set()
        # The sessions that the bus has named and that have not been read since, with
        # the timers after which they count as ended.
        self._named: dict[UUID, asyncio.TimerHandle] = {}
        self._has_work = asyncio.Event()
        # The sessions whose endings are to be recorded, with their tenant.
        self._unrecorded: asyncio.Queue[tuple[Hashable | None, list[UUID]]] = (
            asyncio.Queue()
        )
        self._tasks: list[asyncio.Task[None]] = []
        # Calls that may wait for a row lock, and the gateway, have their own threads.
        self._locking, self.renewing = DatabaseThread(), DatabaseThread()
        self.renewals = RenewalGroups(self.renewing)
        self._asking = DatabaseThread(locking=self._locking)
        self._identifying = DatabaseThread(locking=self._locking)
        self.judging = DatabaseThread(locking=self.renewing)
        # For session keys that this process has never found to be live.
        self.strangers = DatabaseThread(locking=self._locking)
        # One for each tenant with an open connection, or one for None without tenants.
        self._sweepers: dict[Hashable | None, Sweep] = {}
        outage = functools.partial(OutageLog, expected=_UNANSWERED)
        self._verify_outage = outage("Connected sessions cannot be verified")
        self._sweep_outage = outage("Endings cannot be read")
        self._bus_outage = outage("No connection to the bus; the sweep finds endings")
        self._record_outage = outage("Endings cannot be recorded")
        self._store_watch = StoreWatch(outage("Stored sessions cannot be read"))

    async def identify(self, scope: Scope) -> Identity:
        """
        Return the id of a connection's session, and the reason if that session ended.

        Both are ``None`` without a session. Raises ``NotAnswered`` if the database does
        not answer in time, and any error that the session engine raises.
        """
        key = session_key_of(scope)
        if key is None:
            return Identity()
        thread = self._identifying if is_known(key) else self.strangers
        return await thread.run(identify_connection, scope)

    async def find_tenant(self, scope: Scope) -> Hashable | None:
        """
        Return the tenant of a connection's request, or ``None`` if it has none.

        Raises the same errors as ``identify()``.
        """
        return await self._identifying.run(tenant_of, scope)

    def join(
        self, id: UUID, listener: Listener, tenant: Hashable | None = None
    ) -> None:
        """
        Register a ``listener`` to call when the session with the given ``id`` ends.

        The hub passes the reason to ``listener``. The hub passes ``None`` when the
        session is live but one of its playbacks may have ended. ``tenant`` is the
        tenant whose tables hold the session, or ``None`` without tenants.
        """
        self._listeners.join(id, listener, tenant)
        if not self._tasks:
            loop = asyncio.get_running_loop()
            look = self._store_watch.run(self._listeners, self._end_deleted)
            work = self._verify(), self._sweep(), self._listen(), self._record(), look
            self._tasks = [loop.create_task(each) for each in work]

    def leave(self, id: UUID, listener: Listener) -> None:
        """Stop calling ``listener`` for the session with the given ``id``."""
        self._listeners.leave(id, listener)

    def verify(self, id: UUID) -> None:
        """Schedule a check that a session is live and its credentials are valid."""
        self._to_verify.add(id)
        self._has_work.set()

    async def stop(self) -> None:
        """Stop watching sessions, without notifying the connected clients."""
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
        """End the database threads once they are idle. New calls start new threads."""
        reading = self._asking, self._identifying, self.judging, self.strangers
        others = self._locking, self.renewing, self._store_watch
        for thread in (*reading, *others):
            thread.close()

    def _hint(self, ids: Iterable[UUID] | None) -> None:
        """
        Schedule database reads of the sessions that a bus message has named.

        Only sessions with an open connection are read. If ``ids`` is ``None``, messages
        may have been missed, so all sessions with an open connection are read.
        """
        if ids is None:
            # No timer: nothing suggests that any of these has ended.
            self._read_soon(self._news, self._listeners)
            return
        named = self._listeners.keys() & set(ids)
        loop = asyncio.get_running_loop()
        for id in named - self._named.keys():
            self._named[id] = loop.call_later(GIVE_UP_AFTER, self._give_up, id)
        self._read_soon(self._news, named)
        for seconds in REREAD_AFTER if named else ():
            loop.call_later(seconds, self._read_soon, self._doubtful, named)

    def _read_soon(self, waiting: set[UUID], ids: Iterable[UUID]) -> None:
        """Add each session in ``ids`` that has an open connection to ``waiting``."""
        if connected := self._listeners.keys() & set(ids):
            waiting |= connected
            self._has_work.set()

    def _give_up(self, id: UUID) -> None:
        """Close the connections of a session that could not be read in time."""
        self._named.pop(id, None)
        self._end(id, "")

    async def _verify(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._has_work.wait()
            # Sessions named by the bus come first. Because the hub reads in batches,
            # they do not wait until all others have been read.
            waiting = self._news or self._doubtful or self._to_verify
            if not waiting:
                self._has_work.clear()
                continue
            ids = set(islice(waiting, BATCH))
            waiting -= ids
            for tenant, group in self._listeners.by_tenant(ids).items():
                try:
                    await self._read(tenant, group, waiting)
                except (DatabaseError, NotAnswered) as error:
                    self._verify_outage.begin(error)
                    # Other tenants do not wait for one with tables that cannot be read.
                    loop.call_later(SWEEP, self._read_soon, waiting, group)

    async def _read(
        self, tenant: Hashable | None, ids: Collection[UUID], waiting: set[UUID]
    ) -> None:
        """
        Read sessions of a tenant, and notify the listeners of those that have ended.

        ``waiting`` is the set from which ``ids`` were taken. If that set is
        ``_to_verify``, the credentials are checked too. If that set is ``_news``, the
        listeners of live sessions are called too.
        """
        thorough = waiting is self._to_verify
        try:
            found = await self._asking.run(
                tenants.run_in, tenant, connected.standings, ids, thorough=thorough
            )
        except (DatabaseError, NotAnswered):
            raise
        except Exception as error:  # noqa: BLE001 logged, once
            # The project's own code may fail for one session. Read one by one, so that
            # the others are still read. The one that fails is read again after VERIFY.
            if len(ids) > 1:
                for id in ids:
                    await self._read(tenant, [id], waiting)
            else:
                self._verify_outage.begin(error)
            return
        self._verify_outage.end()
        for id, standing in found.items():
            if id not in self._news and (timer := self._named.pop(id, None)):
                timer.cancel()
            if not standing.is_live:
                self._end(id, standing.reason)
            elif waiting is self._news:
                self._notify_changed(id)
        if unrecorded := [id for id, each in found.items() if not each.is_recorded]:
            self._unrecorded.put_nowait((tenant, unrecorded))

    def _end(self, id: UUID, reason: str) -> None:
        for listener in self._listeners.remove(id):
            listener(reason)

    def _end_deleted(self, tenant: Hashable | None, ids: set[UUID]) -> None:
        """Close the connections of sessions whose stored data was deleted."""
        for id in ids:
            self._end(id, UserSession.Reason.EXPIRED)
        self._unrecorded.put_nowait((tenant, list(ids)))

    def _notify_changed(self, id: UUID) -> None:
        """Notify a session's listeners that one of its playbacks may have ended."""
        if conf.uses_plays():
            for listener in tuple(self._listeners.get(id, ())):
                listener(None)

    async def _record(self) -> None:
        """Record the endings of sessions that the database still marks as live."""
        while True:
            tenant, ids = await self._unrecorded.get()
            try:
                record = functools.partial(connected.record_endings, ids)
                await self._locking.run(tenants.run_in, tenant, record)
            except Exception as error:  # noqa: BLE001 logged, once
                self._record_outage.begin(error)
            else:
                self._record_outage.end()

    async def _sweep(self) -> None:
        time = asyncio.get_running_loop().time
        due = verified = in_use = time()
        while True:
            # Keep a fixed rate, however long each read takes.
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
                self._read_soon(self._to_verify, self._listeners)

    async def _sweep_once(self) -> None:
        groups = self._listeners.by_tenant(self._listeners.keys())
        # Forget the tenants that no longer have an open connection.
        self._sweepers = {
            tenant: self._sweepers.get(tenant) or Sweep() for tenant in groups
        }
        for tenant, ids in groups.items():
            await self._sweep_tenant(tenant, ids)

    async def _sweep_tenant(
        self, tenant: Hashable | None, connected: Collection[UUID]
    ) -> None:
        """Read the next sessions of a tenant, of all its ``connected`` sessions."""
        sweeper = self._sweepers[tenant]
        ids = sweeper.next_ids(connected)
        try:
            reading = await self._asking.run(
                tenants.run_in, tenant, sweeper.read, ids, len(connected)
            )
        except Exception as error:  # noqa: BLE001 logged, once
            self._sweep_outage.begin(error)
            return
        self._sweep_outage.end()
        sweeper.note(ids, reading)
        self._read_soon(self._doubtful, reading.doubtful)
        for id in reading.changed:
            self._notify_changed(id)

    async def _listen(self) -> None:
        time = asyncio.get_running_loop().time
        wait, longest = BACK_OFF
        while True:
            began, carrier = time(), None
            try:
                carrier = bus.get_bus()
                async with aclosing(carrier.subscribe()) as messages:
                    async for ids in messages:
                        self._bus_outage.end()
                        self._hint(ids)
            except Exception as error:  # noqa: BLE001 logged, once
                self._bus_outage.begin(error, bus.failure_of(carrier, error))
            # Each new subscription makes the hub read every session. A server that
            # closes each connection at once must not cause that continuously.
            if time() - began >= longest:
                wait = BACK_OFF[0]
            await asyncio.sleep(random.uniform(wait / 2, wait))  # noqa: S311 no secret
            wait = min(2 * wait, longest)
