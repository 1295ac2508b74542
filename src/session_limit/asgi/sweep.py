"""Find sessions that ended without a bus message, by reading the database."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from session_limit.asgi import bulk_reads
from session_limit.conf import conf
from session_limit.models import DatabaseNow
from session_limit.utils.clock import utc_now

# How many connected sessions one sweep reads. Reading them takes a few milliseconds.
AT_ONCE = 2_000
# How far back each sweep also reads the endings of all other sessions, to find them
# sooner. A later sweep would find them anyway, so no guarantee depends on this number
# or on clocks.
RECENT = timedelta(seconds=10)


class Reading(NamedTuple):
    """
    The result of one sweep (a read of connected sessions from the database).

    A play is one playback of limited content. ``doubtful`` contains sessions that have
    ended or expired. ``changed`` contains sessions with a play that a newer play or a
    lower limit has just ended. ``playing`` maps the sessions that were read to their
    open plays. ``recent`` contains the plays that a newer play or a lower limit ended
    during the last ``RECENT``.
    """

    doubtful: set[UUID]
    changed: set[UUID]
    playing: dict[UUID, set[UUID]]
    recent: set[UUID]


class Sweep:
    """
    Reads all connected sessions from the database in turn, ``AT_ONCE`` at a time.

    An ended session is read within ``ceil(connected / AT_ONCE)`` sweeps after the
    commit. The order does not depend on a clock, so neither the recorded time of the
    ending nor the duration of the transaction matters.
    """

    def __init__(self) -> None:
        # The connected sessions that this turn has not read yet.
        self._left: list[UUID] = []
        self._playing: dict[UUID, set[UUID]] = {}
        self._recent: set[UUID] = set()

    def next_ids(self, connected: Collection[UUID]) -> list[UUID]:
        """
        Return the ids of up to ``AT_ONCE`` sessions to read next.

        ``connected`` contains the ids of all sessions with an open connection. Repeated
        calls return the same ids until ``note()`` stores the result of reading them.
        """
        if not self._left:
            self._left = list(connected)
            for id in self._playing.keys() - set(connected):
                del self._playing[id]
        return self._left[:AT_ONCE]

    def read(self, ids: Collection[UUID], connected: int) -> Reading:
        """
        Read the sessions with the given ``ids`` and their plays from the database.

        ``connected`` is the number of all connected sessions. This method blocks.
        """
        owners = bulk_reads.read_unexpired(ids)
        doubtful = set(ids) - owners.keys()
        if connected > AT_ONCE:
            doubtful |= set(bulk_reads.read_ended_since(utc_now() - RECENT))
        if not conf.uses_plays():
            return Reading(doubtful, set(), {}, set())
        playing: dict[UUID, set[UUID]] = {}
        for play, session in bulk_reads.read_open_plays(set(owners.values())):
            if session in owners:
                playing.setdefault(session, set()).add(play)
        # A play that is no longer open may have been stopped by its own page, or it may
        # have ended during the last sweep, which then has reported it.
        before = {play for id in ids for play in self._playing.get(id, ())}
        after = {play for plays in playing.values() for play in plays}
        changed = set(bulk_reads.read_displaced(before - after - self._recent))
        # Find the plays that started and ended between two sweeps.
        recent = dict(bulk_reads.read_plays_ended_since(DatabaseNow() - RECENT))
        changed |= {recent[play] for play in recent.keys() - self._recent}
        return Reading(doubtful, changed, playing, set(recent))

    def note(self, ids: Collection[UUID], reading: Reading) -> None:
        """Store the result of reading ``ids``, so that ``next_ids()`` moves on."""
        del self._left[: len(ids)]
        for id in ids:
            self._playing.pop(id, None)
        self._playing.update(reading.playing)
        self._recent = reading.recent
