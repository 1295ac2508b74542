"""
What other limits would have done: recorded history in, counts out.

Pure: no database, no request, no clock. The command reads the history, calls this, and
shows what it returns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple


class Run(NamedTuple):
    """A session or a play that took a place, from ``started`` until ``ended``."""

    started: datetime
    ended: datetime
    scope: str
    # On which it started, where the project is.
    day: date


@dataclass(slots=True)
class Outcome:
    """
    What one limit would have done: to how many ``accounts``, and per day of the start
    that met it, how many others it would have ``displaced`` or starts ``refused``.
    """

    accounts: int = 0
    displaced: Counter[date] = field(default_factory=Counter)
    refused: Counter[date] = field(default_factory=Counter)


@dataclass(slots=True)
class WhatIf:
    """How many ``accounts`` started what per day, and an outcome for each limit."""

    outcomes: dict[int, Outcome]
    accounts: int = 0
    starts: Counter[date] = field(default_factory=Counter)


def replay(
    accounts: Iterable[Iterable[Run]], limits: Iterable[int], days: Container[date]
) -> WhatIf:
    """
    Replay the runs of each account under each of ``limits``. Starts before the
    ``days`` decide what runs when they begin, and are not counted.
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
            # Fewer can never meet it, which spares most accounts the replay.
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
    Return how many starts meet ``limit`` per day, where each of them ends the run that
    started first (``displaces``), or is refused and never runs.
    """
    met: Counter[date] = Counter()
    for runs in scopes:
        running: list[Run] = []
        for run in runs:
            # What ends at this very moment has left its place.
            running = [other for other in running if other.ended > run.started]
            if len(running) == limit:
                met[run.day] += run.day in days
                if not displaces:
                    continue
                del running[0]
            running.append(run)
    # Without the days on which there was nothing, or that are not asked about.
    return +met
