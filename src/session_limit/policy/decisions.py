"""
Decide which sessions and plays to admit at a limit, and which ones to end for them.

These functions use no database, no request and no clock. The registry collects the
facts under the account's lock, calls one of them, and carries out the decision.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class AtLimit(enum.StrEnum):
    """
    The ways to treat a sign-in or a play that would exceed its limit.

    ``DISPLACE`` ends older sessions or plays for it, ``DENY`` refuses it, ``ASK`` lets
    the user choose which ones to end, and ``OBSERVE`` admits and only reports it.
    """

    DISPLACE = "displace"
    DENY = "deny"
    ASK = "ask"
    OBSERVE = "observe"


class Displace(enum.StrEnum):
    """The ways to choose which live sessions end for a newer one."""

    LEAST_RECENT = "least_recent"
    OLDEST = "oldest"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class LiveSession:
    """
    The facts about a live session, or about a live play, on which decisions depend.

    An ``adopted`` session was signed in at an unknown time, before this package
    recorded it, and counts as older than every session that is not adopted.
    """

    id: UUID
    created_at: datetime
    last_active_at: datetime
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """
    The decision on a new session or play at a limit.

    ``admitted`` says whether it may start. ``ended`` holds the ids of the sessions or
    plays that it displaces, in the order in which to end them. ``exceeded`` says
    whether it would have exceeded the limit, even if it was admitted.
    """

    admitted: bool
    ended: tuple[UUID, ...] = ()
    exceeded: bool = False


def _by_sign_in(session: LiveSession) -> tuple[bool, datetime, UUID]:
    return (not session.adopted, session.created_at, session.id)


def _by_activity(session: LiveSession) -> tuple[datetime, UUID]:
    # The id breaks ties, so that two workers with the same facts decide alike.
    return (session.last_active_at, session.id)


def excess(
    live: Sequence[LiveSession], *, limit: int | None, displace: Displace
) -> tuple[UUID, ...]:
    """
    Return the ids of the sessions to end so that no more than ``limit`` remain, in the
    order in which to end them.

    ``live`` holds the live sessions of one scope. A limit of ``None`` is unlimited.
    ``Displace.OLDEST`` ends the oldest, other values the least recently active ones.
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
    Decide whether to admit a sign-in, and which of the user's live sessions it ends.

    ``live`` holds the user's other live sessions in the same scope. ``limit`` includes
    the new session; ``None`` is unlimited. If more sessions are live than the limit
    allows, for example after a downgrade, a sign-in that displaces ends all of the
    excess. A sign-in that is refused ends none.
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
    Decide on a sign-in for which the user has chosen which live sessions to end.

    ``chosen`` holds the ids of those sessions, or is ``None`` to end all. If the limit
    leaves room by now and the choice is not "all", no session ends. If the choice does
    not make enough room, no session ends, and the user is asked again.
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
    Decide on a new play for which the user has ``chosen`` (by its id) a play to end.

    If the limit leaves room by now, no play ends. If the chosen play is no longer live
    and there is no room, the user is asked again. If more plays are live than the limit
    allows, the oldest of the excess end too.
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
    Decide on a session that was signed in before this package recorded it.

    The session counts as the oldest of its scope, so it is admitted if the limit leaves
    room, and ends no other. Under ``"observe"`` it is admitted in any case.
    """
    free = limit is None or len(live) < limit
    return Decision(free or at_limit is AtLimit.OBSERVE, exceeded=not free)
