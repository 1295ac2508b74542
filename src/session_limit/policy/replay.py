"""
Replay recorded history under other limits, and count what they would have done.

This uses no database, no request and no clock. The command ``sessionpolicy`` reads the
history, calls ``replay()``, and shows what it returns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple


class Run(NamedTuple):
    """A session or a play that took a place from ``started`` until ``ended``."""

    started: datetime
    ended: datetime
    scope: str
    # The day on which it started, in the project's time zone.
    day: date


@dataclass(slots=True)
class Outcome:
    """
    What one limit would have done.

    ``accounts`` is how many accounts would have met it. ``displaced`` and ``refused``
    count the runs it would have ended, or the starts it would have refused, by the day
    of the start that met the limit.
    """

    accounts: int = 0
    displaced: Counter[date] = field(default_factory=Counter)
    refused: Counter[date] = field(default_factory=Counter)


@dataclass(slots=True)
class WhatIf:
    """How many ``accounts`` started runs, the ``starts`` by day, and the outcomes."""

    outcomes: dict[int, Outcome]
    accounts: int = 0
    starts: Counter[date] = field(default_factory=Counter)


def replay(
    accounts: Iterable[Iterable[Run]], limits: Iterable[int], days: Container[date]
) -> WhatIf:
    """
    Replay the runs of each account under each of ``limits``. Runs that started before
    ``days`` only determine what is running then; they are not counted.
    """
    result = WhatIf({limit: Outcome() for limit in limits})
    for account in accounts:
        scopes: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(account):
            scopes[run.scope].append(run)
        starts = Counter(
            run.day for runs in scopes.values() for run in runs if run.day in days
        )
        result.accounts += bool(starts)
        result.starts += starts
        for limit, outcome in result.outcomes.items():
            # Fewer runs can never meet the limit. Most accounts need no replay.
            many = [runs for runs in scopes.values() if len(runs) > limit]
            displaced = _met(many, limit, days, displaces=True)
            refused = _met(many, limit, days, displaces=False)
            outcome.accounts += bool(displaced or refused)
            outcome.displaced += displaced
            outcome.refused += refused
    return result


def _met(
    scopes: Iterable[Sequence[Run]],
    limit: int,
    days: Container[date],
    *,
    displaces: bool,
) -> Counter[date]:
    """
    Return how many starts meet ``limit``, by day. Each such start ends the oldest run
    if ``displaces``, and is refused otherwise.
    """
    met: Counter[date] = Counter()
    for runs in scopes:
        running: list[Run] = []
        for run in runs:
            # A run that ends at this moment has left its place.
            running = [other for other in running if other.ended > run.started]
            if len(running) == limit:
                met[run.day] += run.day in days
                if not displaces:
                    continue
                del running[0]
            running.append(run)
    # Drop days without any, and days that are not in ``days``.
    return +met
