"""
Decide whether to admit sessions and plays at a limit, and which older ones to end.

These functions use no database, no request and no clock. The registry locks the
account, collects the facts, calls one of these functions, and carries out the decision.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class AtLimit(enum.StrEnum):
    """
    The ways to treat a sign-in or a play that would exceed the limit.

    ``DISPLACE`` ends older sessions or plays. ``DENY`` refuses the new session or play.
    ``ASK`` lets the user choose which older ones to end. ``OBSERVE`` admits the new
    session or play and only reports the excess.
    """

    DISPLACE = "displace"
    DENY = "deny"
    ASK = "ask"
    OBSERVE = "observe"


class Displace(enum.StrEnum):
    """The ways to choose which live sessions end for a newer session."""

    LEAST_RECENT = "least_recent"
    OLDEST = "oldest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class LiveSession:
    """
    The facts about a live session or play that are needed to enforce the limit.

    An ``adopted`` session was signed in at an unknown time, before this package
    recorded sessions. Adopted sessions count as older than all other sessions.
    """

    id: UUID
    created_at: datetime
    last_active_at: datetime
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """
    A decision about a new session or play at a limit.

    ``admitted`` says whether the session or play may start. ``ended`` holds the ids of
    older sessions or plays to end, in this order. ``exceeded`` says whether the new
    session or play would have exceeded the limit, even if admitted.
    """

    admitted: bool
    ended: tuple[UUID, ...] = ()
    exceeded: bool = False


def _by_sign_in(session: LiveSession) -> tuple[bool, datetime, UUID]:
    return (not session.adopted, session.created_at, session.id)


def _by_activity(session: LiveSession) -> tuple[datetime, UUID]:
    # The id breaks ties, so that two workers with the same facts decide alike.
    return (session.last_active_at, session.id)


def in_order(live: Sequence[LiveSession], displace: Displace) -> tuple[UUID, ...]:
    """
    Return the ids of ``live`` sessions in the order in which ``displace`` ends them.

    ``Displace.OLDEST`` ends the oldest sessions first. Other values end the least
    recently active sessions first.
    """
    is_by_age = displace is Displace.OLDEST
    ordered = sorted(live, key=_by_sign_in if is_by_age else _by_activity)
    return tuple(session.id for session in ordered)


def excess(
    live: Sequence[LiveSession], *, limit: int | None, displace: Displace
) -> tuple[UUID, ...]:
    """
    Return the ids of the sessions to end so that at most ``limit`` sessions remain.

    ``live`` holds the live sessions of one scope (a group of sessions with a common
    limit). If ``limit`` is ``None``, no session ends. The ids are in the order in which
    to end the sessions (see ``in_order()``).
    """
    if limit is None or len(live) <= limit:
        return ()
    return in_order(live, displace)[: len(live) - limit]


def decide(
    live: Sequence[LiveSession],
    *,
    limit: int | None,
    at_limit: AtLimit,
    displace: Displace,
) -> Decision:
    """
    Decide whether to admit a sign-in, and which of the user's live sessions to end.

    ``live`` holds the user's other live sessions in the same scope (a group of sessions
    with a common limit). ``limit`` includes the new session. ``None`` means unlimited.
    More sessions may be live than the limit allows, for example after a downgrade. A
    sign-in that displaces ends the whole excess. A refused sign-in ends no session.
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
    Decide whether to admit a sign-in after the user chose which sessions to end.

    ``chosen`` holds the ids of the chosen sessions, or is ``None`` if the user chose
    all. If the limit already leaves room, no session ends unless the user chose all. If
    the choice makes too little room, no session ends, and the user is asked again.
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
    Decide whether to admit a new play after the user chose another play to end.

    ``chosen`` is the id of the play to end. If the limit already leaves room, no play
    ends. If there is no room and the chosen play is no longer live, the user is asked
    again. If more plays are live than the limit allows, the oldest excess plays end
    too.
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
    Decide whether to admit a session from before this package recorded sessions.

    The session counts as the oldest session of its scope, and ends no other session.
    The session is admitted if the limit leaves room, and always under
    ``AtLimit.OBSERVE``.
    """
    free = limit is None or len(live) < limit
    return Decision(free or at_limit is AtLimit.OBSERVE, exceeded=not free)
