"""Find endings that no bus has reported, by reading about the connected sessions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from session_limit.asgi import bulk_reads
from session_limit.conf import conf
from session_limit.models import DatabaseNow

# How many connected sessions one sweep reads. That takes a few milliseconds.
AT_ONCE = 2_000
# How far back a sweep also reads all endings, to find those of the other sessions
# sooner. Reading about each session in turn finds them too, so no guarantee depends on
# this number or on clocks.
RECENT = timedelta(seconds=10)


class Reading(NamedTuple):
    """
    Hold the result of one sweep.

    ``doubtful`` sessions have ended or reached their expiry. ``changed`` sessions had a
    play that something else ended. ``playing`` maps each session that was read to its
    open plays. ``recent`` holds the plays that something else ended recently.
    """

    doubtful: set[UUID]
    changed: set[UUID]
    playing: dict[UUID, set[UUID]]
    recent: set[UUID]


class Sweep:
    """
    Read about all connected sessions in turn, ``AT_ONCE`` at a time.

    This depends on no clock. Whatever time an ending records and however long its
    transaction takes, the session is read within ``ceil(connected / AT_ONCE)`` sweeps
    after the commit.
    """

    def __init__(self) -> None:
        # The sessions that this round has not read yet.
        self._left: list[UUID] = []
        self._playing: dict[UUID, set[UUID]] = {}
        self._recent: set[UUID] = set()

    def next_ids(self, connected: Collection[UUID]) -> list[UUID]:
        """Return the sessions to read next. Repeat them until ``note()`` is called."""
        if not self._left:
            self._left = list(connected)
            for id in self._playing.keys() - set(connected):
                del self._playing[id]
        return self._left[:AT_ONCE]

    def read(self, ids: Collection[UUID], connected: int) -> Reading:
        """Read the sessions with these ``ids``, of ``connected`` in all. Blocks."""
        owners = bulk_reads.read_unexpired(ids)
        doubtful = set(ids) - owners.keys()
        if connected > AT_ONCE:
            doubtful |= set(bulk_reads.read_ended_since(timezone.now() - RECENT))
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
        # Plays that started and ended between two sweeps.
        recent = dict(bulk_reads.read_plays_ended_since(DatabaseNow() - RECENT))
        changed |= {recent[play] for play in recent.keys() - self._recent}
        return Reading(doubtful, changed, playing, set(recent))

    def note(self, ids: Collection[UUID], reading: Reading) -> None:
        """Remember the ``reading`` of these ``ids``, so that the next ones follow."""
        del self._left[: len(ids)]
        for id in ids:
            self._playing.pop(id, None)
        self._playing.update(reading.playing)
        self._recent = reading.recent
