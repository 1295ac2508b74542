"""
Decide what happens at a limit, from facts alone.

These functions use no database, no request and no clock. The registry collects the
facts under its lock, calls one of them, and carries the decision out.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
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
    """Which live sessions end for a newer one."""

    LEAST_RECENT = "least_recent"
    OLDEST = "oldest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class LiveSession:
    """
    The facts about a live session, or a live play, that decisions depend on.

    An ``adopted`` session was signed in at an unknown time, and counts as older than
    every session that is not adopted.
    """

    id: UUID
    created_at: datetime
    last_active_at: datetime
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What to do with a newcomer. ``admitted`` says whether it becomes live. ``ended`` are
    the ids of those that it displaces, in the order in which to end them. ``exceeded``
    says whether it met the limit, admitted or not.
    """

    admitted: bool
    ended: tuple[UUID, ...] = ()
    exceeded: bool = False


def _by_sign_in(session: LiveSession) -> tuple[bool, datetime, UUID]:
    return (not session.adopted, session.created_at, session.id)


def _by_activity(session: LiveSession) -> tuple[datetime, UUID]:
    # The id breaks a tie, so that two workers with the same facts agree.
    return (session.last_active_at, session.id)


def excess(
    live: Sequence[LiveSession], *, limit: int | None, displace: Displace
) -> tuple[UUID, ...]:
    """
    Return the ids of the ``live`` sessions of one scope beyond ``limit``, in the order
    in which to end them. A limit of ``None`` is unlimited.
    """
    if limit is None or len(live) <= limit:
        return ()
    is_by_age = displace is Displace.OLDEST
    ordered = sorted(live, key=_by_sign_in if is_by_age else _by_activity)
    return tuple(session.id for session in ordered[: len(live) - limit])


def decide(
    live: Sequence[LiveSession],
    *,
    limit: int | None,
    at_limit: AtLimit,
    displace: Displace,
) -> Decision:
    """
    Decide on a sign-in, given the other ``live`` sessions of its user and scope.

    ``limit`` includes the newcomer; ``None`` is unlimited. If more sessions are live
    than that, for example after a downgrade, all beyond it end. A sign-in that is
    refused ends none.
    """
    if limit is None or len(live) < limit:
        return Decision(admitted=True)
    if at_limit in {AtLimit.DENY, AtLimit.ASK}:
        return Decision(admitted=False, exceeded=True)
    if at_limit is AtLimit.OBSERVE:
        return Decision(admitted=True, exceeded=True)
    room = 0 if displace is Displace.ALL else limit - 1
    ended = excess(live, limit=room, displace=displace)
    return Decision(admitted=True, ended=ended, exceeded=True)


def decide_choice(
    live: Sequence[LiveSession], *, limit: int | None, chosen: Collection[UUID] | None
) -> Decision:
    """
    Decide on a sign-in for which a person has ``chosen`` the sessions to end, by their
    ids, or all with ``None``.

    If a place has become free and the choice is not "all", no session ends. If the
    choice does not make room, no session ends, and the person is asked again.
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
    Decide on a newcomer for which a person has ``chosen`` one to end.

    If a place has become free, none ends. If the chosen one is no longer live and no
    place is free, the person is asked again. If more are live than the limit allows,
    the oldest beyond it end too.
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
    Decide on a session that was signed in before the registry knew of it.

    The session counts as the oldest of its scope, so it takes a free place and ends no
    other. Under ``"observe"`` it is admitted in any case.
    """
    free = limit is None or len(live) < limit
    return Decision(free or at_limit is AtLimit.OBSERVE, exceeded=not free)
