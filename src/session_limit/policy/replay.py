"""
Replay recorded history under other limits, and count what they would have done.

This module uses no database, no request and no clock. The ``sessionpolicy`` command
reads the history, calls ``replay()``, and displays the result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple


class Run(NamedTuple):
    """One recorded session or play, which counted from ``started`` until ``ended``."""

    started: datetime
    ended: datetime
    scope: str
    # The day of ``started``, in the project's time zone.
    day: date


@dataclass(slots=True)
class Outcome:
    """
    The effect that one limit would have had.

    ``accounts`` is the number of accounts that would have reached the limit.
    ``displaced`` counts the runs that it would have ended, and ``refused`` the starts
    that it would have refused, each by the day of the start that reached the limit.
    """

    accounts: int = 0
    displaced: Counter[date] = field(default_factory=Counter)
    refused: Counter[date] = field(default_factory=Counter)


@dataclass(slots=True)
class WhatIf:
    """
    The result of ``replay()``: the ``outcomes`` by limit, the number of ``accounts``
    that started runs, and the number of ``starts`` by day.
    """

    outcomes: dict[int, Outcome]
    accounts: int = 0
    starts: Counter[date] = field(default_factory=Counter)


def replay(
    accounts: Iterable[Iterable[Run]], limits: Iterable[int], days: Container[date]
) -> WhatIf:
    """
    Replay each account's runs (sessions or plays) under each of ``limits``, and return
    what each limit would have done.

    Only starts on one of the ``days`` are counted. Earlier runs only determine what is
    active when those days begin.
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
            # An account with fewer runs cannot reach the limit. Most need no replay.
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
    Return how many starts reach ``limit``, by day. Each of these starts ends the oldest
    active run if ``displaces`` is true, and is refused otherwise.
    """
    met: Counter[date] = Counter()
    for runs in scopes:
        running: list[Run] = []
        for run in runs:
            # A run that ends at this moment no longer counts.
            running = [other for other in running if other.ended > run.started]
            if len(running) == limit:
                met[run.day] += run.day in days
                if not displaces:
                    continue
                del running[0]
            running.append(run)
    # Drop the days without a count, and so those that are not in ``days``.
    return +met
