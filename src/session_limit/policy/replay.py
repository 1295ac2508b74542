"""
Replay recorded sessions or plays under other limits, and count the effects.

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
    """A recorded session or play, which was live from ``started`` until ``ended``."""

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
    ``displaced`` counts the sessions or plays that would have ended, and ``refused``
    those that would not have started, by the day of the start that reached the limit.
    """

    accounts: int = 0
    displaced: Counter[date] = field(default_factory=Counter)
    refused: Counter[date] = field(default_factory=Counter)


@dataclass(slots=True)
class WhatIf:
    """
    The result of ``replay()``.

    ``outcomes`` maps each limit to its effect. ``accounts`` is the number of accounts
    that started sessions or plays. ``starts`` is the number of starts per day.
    """

    outcomes: dict[int, Outcome]
    accounts: int = 0
    starts: Counter[date] = field(default_factory=Counter)


def replay(
    accounts: Iterable[Iterable[Run]], limits: Iterable[int], days: Container[date]
) -> WhatIf:
    """
    Return the effects that each limit would have had on recorded sessions or plays.

    ``accounts`` yields the sessions or plays of each account. Only starts on one of the
    given days are counted. Earlier starts only determine what is active on those days.
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
    Return, for each of the given days, how many starts would have reached the limit.

    If ``displaces`` is true, each of these starts ends the oldest active session or
    play. Otherwise the start is refused.
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
