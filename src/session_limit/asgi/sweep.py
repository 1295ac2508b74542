"""Find endings that no bus has told of, by asking about the connected sessions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.utils import timezone

from session_limit.asgi import bulk_reads
from session_limit.conf import conf
from session_limit.models import DatabaseNow

# How many connected sessions one sweep asks about. It takes a few milliseconds.
AT_ONCE = 2_000
# How far back the sweep reads what has ended recently. This only speeds up what asking
# about every session finds anyway, so no guarantee depends on this number or on clocks.
RECENT = timedelta(seconds=10)

# The ids of the open plays of sessions.
Plays = Mapping[UUID, frozenset[UUID]]


class Reading(NamedTuple):
    """
    What one sweep has read.

    ``doubtful`` sessions have ended or are about to expire. ``changed`` sessions had a
    play that was ended from elsewhere. ``playing`` maps each session that was asked
    about to its open plays. ``recent`` plays were ended from elsewhere recently.
    """

    doubtful: set[UUID]
    changed: set[UUID]
    playing: Plays
    recent: frozenset[UUID]


class Sweep:
    """
    Ask about all connected sessions in turn, ``AT_ONCE`` at a time.

    Depends on no clock: whatever the time of an ending is said to be and however long
    its transaction took, the session is asked about within
    ``ceil(connected / AT_ONCE)`` readings after the commit.
    """

    def __init__(self) -> None:
        # The sessions that this turn has not asked about yet.
        self._left: list[UUID] = []
        self._playing: dict[UUID, frozenset[UUID]] = {}
        self._recent: frozenset[UUID] = frozenset()

    def next_ids(self, connected: Collection[UUID]) -> list[UUID]:
        """Return the sessions to ask about next; the same until ``note()``."""
        if not self._left:
            self._left = list(connected)
            self._playing = {
                id: plays for id, plays in self._playing.items() if id in connected
            }
        return self._left[:AT_ONCE]

    def read(self, ids: Collection[UUID], connected: int) -> Reading:
        """Read from the database about ``ids``, out of all ``connected``. Blocks."""
        owners = bulk_reads.read_unexpired(ids)
        doubtful = set(ids) - owners.keys()
        if connected > AT_ONCE:
            doubtful |= set(bulk_reads.read_ended_since(timezone.now() - RECENT))
        if not conf.uses_plays():
            return Reading(doubtful, set(), {}, frozenset())
        playing = _open_plays(owners)
        # A play that is open no longer may have been stopped by its own page, or have
        # ended while the last reading was under way, which then has found it already.
        before = {play for id in ids for play in self._playing.get(id, ())}
        after = {play for plays in playing.values() for play in plays}
        changed = set(bulk_reads.read_displaced(before - after - self._recent))
        # A play that started and ended between two readings.
        recent = dict(bulk_reads.read_plays_ended_since(DatabaseNow() - RECENT))
        changed |= {recent[play] for play in recent.keys() - self._recent}
        return Reading(doubtful, changed, playing, frozenset(recent))

    def note(self, ids: Collection[UUID], reading: Reading) -> None:
        """Remember the ``reading`` about ``ids``, and go on to the next ids."""
        del self._left[: len(ids)]
        for id in ids:
            self._playing.pop(id, None)
        self._playing.update(reading.playing)
        self._recent = reading.recent


def _open_plays(owners: Mapping[UUID, Any]) -> dict[UUID, frozenset[UUID]]:
    """Return the open plays of sessions, given with the primary keys of their users."""
    found: dict[UUID, set[UUID]] = {}
    for play, session in bulk_reads.read_open_plays(set(owners.values())):
        if session in owners:
            found.setdefault(session, set()).add(play)
    return {session: frozenset(plays) for session, plays in found.items()}
