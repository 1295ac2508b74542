"""Find out how long it took until connected clients learned of an ending."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.history.endings import Endings
    from tests.history.history import Connection, Fault, History

# The package's own bound: it asks about this many connected sessions a second, in
# sweeps of one second.
ASKED_PER_SECOND = 2000
SWEEP = 1.0
# Seconds that this machine may be late, because it runs everything.
TOLERANCE = 1.0


def bound(connected: int) -> float:
    """Return within how many seconds a process notifies ``connected`` clients."""
    return math.ceil(max(1, connected) / ASKED_PER_SECOND) + SWEEP


@dataclass(frozen=True, slots=True)
class Telling:
    """
    A connection whose session ended, and how long it took until the connection stopped.

    ``since`` is the moment at which the ending was known, the connection was open, and
    the last fault in its way was over. ``took`` is the number of seconds from then
    until the connection stopped. It is negative if the connection stopped during the
    fault.
    ``disturbed`` says whether a fault was in the way.
    """

    connection: Connection
    since: float
    took: float
    disturbed: bool


def tellings(history: History, endings: Endings) -> Iterator[Telling]:
    """Yield every connection that was open when its session ended, or opened later."""
    allowed = bound(most_connected(history)) + TOLERANCE
    for held in history.connections:
        known = endings.known.get(held.session)
        if known is None or held.opened is None or held.how == "left":
            continue
        started = max(known, held.opened)
        faults = [each for each in history.faults if each.began < held.ended]
        since = settled(faults, held.server, started, allowed)
        took = held.ended - since
        yield Telling(held, since, took, disturbed=since > started)


def settled(
    faults: Sequence[Fault], server: int, since: float, allowed: float
) -> float:
    """
    Return the moment from which the bound counts for an event at ``since``.

    Each fault of this server that begins before the time is up moves the moment to the
    end of that fault.
    """
    for fault in faults:
        if server in fault.servers and fault.began <= since + allowed:
            since = max(since, fault.settled)
    return since


def most_connected(history: History) -> int:
    """Return the largest number of connections that one server had at one time."""
    changes = sorted(
        change
        for held in history.connections
        if held.opened is not None
        for change in ((held.opened, 1, held.server), (held.ended, -1, held.server))
    )
    now: Counter[int] = Counter()
    most = 0
    for _, change, server in changes:
        now[server] += change
        most = max(most, now[server])
    return most


def not_told(history: History, endings: Endings) -> Iterator[str]:
    """Object to a client that was told too late, or told of a live session."""
    allowed = bound(most_connected(history)) + TOLERANCE
    for telling in tellings(history, endings):
        held = telling.connection
        if telling.took > allowed:
            yield (
                f"{held.ended:.3f}: {held.kind} at server {held.server}, {held.how}"
                f" {telling.took:.2f} s after {telling.since:.3f}; session"
                f" {held.session} had ended by {endings.known[held.session]:.3f}"
                f" ({endings.why[held.session]})"
            )
    live = {row.session for row in history.rows if not row.ended}
    for held in history.connections:
        if held.how == "told" and held.session in live:
            yield f"{held.ended:.3f}: a {held.kind} of the live {held.session} was told"
