"""
What happens when an account signs in: facts in, a decision out.

Pure: no database, no request, no clock. The registry gathers the facts under its
lock, calls this, and carries out what it says.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class AtLimit(enum.StrEnum):
    """What happens to a sign-in that would exceed the limit."""

    DISPLACE = "displace"
    DENY = "deny"
    ASK = "ask"
    OBSERVE = "observe"


class Displace(enum.StrEnum):
    """Which live sessions make room for a newer one."""

    LEAST_RECENT = "least_recent"
    OLDEST = "oldest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class LiveSession:
    """
    What the policy knows of a live session.

    ``adopted`` sessions were signed in before anybody recorded when: they count as
    older than every recorded one.
    """

    id: UUID
    created_at: datetime
    last_active_at: datetime
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """
    ``admitted``: whether the newcomer becomes live. ``ended``: whom it displaces,
    in the order in which they go. ``exceeded``: whether the limit stood in the way,
    whatever was done about it.
    """

    admitted: bool
    ended: tuple[UUID, ...] = ()
    exceeded: bool = False


def _by_sign_in(session: LiveSession) -> tuple[bool, datetime, UUID]:
    return (not session.adopted, session.created_at, session.id)


def _by_activity(session: LiveSession) -> tuple[bool, datetime, UUID]:
    # The id breaks a tie, so that two workers given the same facts agree.
    return (True, session.last_active_at, session.id)


_ORDERS: dict[Displace, Callable[[LiveSession], tuple[bool, datetime, UUID]]] = {
    Displace.LEAST_RECENT: _by_activity,
    Displace.OLDEST: _by_sign_in,
    Displace.ALL: _by_activity,
}


def excess(
    live: Sequence[LiveSession], *, limit: int | None, displace: Displace
) -> tuple[UUID, ...]:
    """
    Return the ids of the ``live`` sessions of one scope that are too many under
    ``limit`` (``None``: unlimited), first to go first.
    """
    if limit is None or len(live) <= limit:
        return ()
    leaving = sorted(live, key=_ORDERS[displace])
    return tuple(session.id for session in leaving[: len(live) - limit])


def decide(
    live: Sequence[LiveSession],
    *,
    limit: int | None,
    at_limit: AtLimit,
    displace: Displace,
) -> Decision:
    """
    Decide on a sign-in, given the other ``live`` sessions of its user and scope.

    ``limit`` counts the newcomer too; ``None`` is unlimited. A limit that is
    already exceeded (after a plan downgrade) comes down under ``displace``; a
    refused sign-in ends nothing.
    """
    if limit is None or len(live) < limit:
        return Decision(admitted=True)
    if at_limit in {AtLimit.DENY, AtLimit.ASK}:
        return Decision(admitted=False, exceeded=True)
    if at_limit is AtLimit.OBSERVE:
        return Decision(admitted=True, exceeded=True)
    room = 0 if displace is Displace.ALL else limit - 1
    return Decision(
        admitted=True,
        ended=excess(live, limit=room, displace=displace),
        exceeded=True,
    )


def decide_choice(
    live: Sequence[LiveSession],
    *,
    limit: int | None,
    chosen: Collection[UUID] | None,
) -> Decision:
    """
    Decide on a sign-in whose person was asked, and has ``chosen`` whom to sign out:
    ``None`` is everybody. Where a place became free meanwhile, nobody has to go; where
    what was chosen is not enough, nobody goes, and the person is asked again.
    """
    free = limit is None or len(live) < limit
    if free and chosen is not None:
        return Decision(admitted=True)
    ended = tuple(
        session.id
        for session in sorted(live, key=_by_activity)
        if chosen is None or session.id in chosen
    )
    if limit is None or len(live) - len(ended) < limit:
        return Decision(admitted=True, ended=ended, exceeded=not free)
    return Decision(admitted=False, exceeded=True)


def decide_swap(
    live: Sequence[LiveSession], *, limit: int | None, chosen: UUID
) -> Decision:
    """
    Decide on a newcomer whose person has ``chosen`` one to end for it. Where a place
    became free meanwhile, nobody has to go; where the chosen one is gone and no place
    is free, the person is asked again. A limit that is exceeded already comes down, the
    oldest first.
    """
    if limit is None or len(live) < limit:
        return Decision(admitted=True)
    staying = [session for session in live if session.id != chosen]
    if len(staying) == len(live):
        return Decision(admitted=False, exceeded=True)
    others = excess(staying, limit=limit - 1, displace=Displace.OLDEST)
    return Decision(admitted=True, ended=(chosen, *others), exceeded=True)


def decide_adoption(
    live: Sequence[LiveSession], *, limit: int | None, at_limit: AtLimit
) -> Decision:
    """
    Decide on a session that was signed in before this package knew of it.

    It counts as the oldest of its scope: it takes a free place, and never ends
    another. Where the limit is observed, nobody is refused.
    """
    free = limit is None or len(live) < limit
    return Decision(free or at_limit is AtLimit.OBSERVE, exceeded=not free)
