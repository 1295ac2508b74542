"""
Keep plays while they are renewed, and end them.

A play is a lease. It counts while it is renewed in time and its session is live. A play
that no longer counts stays open until something needs its place.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import BooleanField, ExpressionWrapper, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from session_limit.models import LEASE, DatabaseNow, Play, PlayEndReason, UserSession
from session_limit.registry import announcements
from session_limit.registry.accounts import lock_account
from session_limit.registry.transactions import one_statement, transactional
from session_limit.utils.after_commit import after_commit

# How often a player renews a play. Two renewals in a row may fail to arrive.
INTERVAL = LEASE / 3

# How many starts that were stopped before they began are kept for an account.
MAX_STOPPED = 100


def play_id_of(session_id: UUID, key: str) -> UUID:
    """
    Return the id of the play that the session with this id starts under ``key``. The
    same key names another play in another session.
    """
    return uuid.uuid5(session_id, key)


@one_statement
def renew_play(using: str, id: UUID, session_id: UUID) -> bool:
    """
    Renew the play with this id, of the live session with the id ``session_id``, for
    another ``LEASE``. Return whether the play still counts.

    The caller knows that the session is live. This is one indexed ``UPDATE`` and does
    not lock the account. Start a play that has lapsed anew, with ``play()``.
    """
    rows = Play.objects.using(using).leased().filter(pk=id, session_id=session_id)
    return rows.update(lease_until=DatabaseNow() + LEASE) > 0


@transactional
def stop_play(using: str, id: UUID, session_id: UUID) -> bool:
    """
    Stop the play with this id, of the session with the id ``session_id``, and free its
    place at once. Return whether it still counted. A play that has lapsed keeps that
    reason.
    """
    plays = Play.objects.using(using)
    rows = plays.leased().filter(pk=id, session_id=session_id)
    counted = rows.update(ended_at=DatabaseNow(), ended_reason=PlayEndReason.STOPPED)
    if counted:
        after_commit(using, announcements.plays_ended, plays.filter(pk=id))
    return counted > 0


def stop_start(session: UserSession, key: str) -> None:
    """
    Stop the play that the live ``session`` started under ``key``, and free its place at
    once. If the start has yet to arrive, it will not begin: a client may stop a start
    before it knows the answer, and may have left by then.
    """
    id = play_id_of(session.pk, key)
    if not stop_play(id, session.pk):
        _record_stopped(id, session)


@transactional
def _record_stopped(using: str, id: UUID, session: UserSession) -> None:
    # Any start under this key comes before the lock, and is seen, or waits for it.
    lock_account(session.user_id, using)
    if Play.objects.using(using).filter(pk=id).exists():
        return
    _forget_stopped(session.user_id, using)
    Play(
        id=id,
        user_id=session.user_id,
        session=session,
        started_at=cast("Any", DatabaseNow()),
        # Its lease ends before it starts: see PlayQuerySet.begun().
        lease_until=cast("Any", DatabaseNow() - LEASE),
        ended_at=cast("Any", DatabaseNow()),
        ended_reason=PlayEndReason.STOPPED,
    ).save(using=using, force_insert=True)


def _forget_stopped(user_id: Any, using: str) -> None:
    """
    Delete the oldest of the starts that this user's clients stopped, within the last
    hour, before they began, so that there is room for another one.

    Every key that a client stops makes a row. The caller has locked the account.
    """
    stopped = Play.objects.using(using).filter(
        user_id=user_id,
        # The index has ``ended_at`` beside the user, so older plays are not read.
        ended_at__gt=DatabaseNow() - timedelta(hours=1),
        lease_until__lt=F("started_at"),
    )
    ids = stopped.order_by("-ended_at", "-pk").values_list("pk", flat=True)
    if leaving := list(ids[MAX_STOPPED - 1 :]):
        Play.objects.using(using).filter(pk__in=leaving).delete()


def find_play(id: UUID, session_id: UUID) -> Play | None:
    """
    Return the play with this id, open or ended, of the session with the id
    ``session_id``, or ``None`` if the session has no such play.
    """
    rows = Play.objects.primary().filter(pk=id, session_id=session_id)
    return rows.first()


def live_plays(user: AbstractBaseUser) -> list[Play]:
    """Return the live plays of ``user``, oldest first, each with its ``session``."""
    rows = Play.objects.primary().live().filter(user_id=user.pk)
    return list(rows.select_related("session").order_by("started_at", "pk"))


def lock_counting_plays(user_id: Any, using: str) -> list[Play]:
    """
    Return the plays that count of a user whose account is locked, the oldest first. End
    the open plays that do not count.

    All open plays are locked, including those that lapsed. A renewal that began before
    the lapse could otherwise bring back a play that was no longer counted.
    """
    is_leased = ExpressionWrapper(
        Q(lease_until__gt=DatabaseNow()), output_field=BooleanField()
    )
    rows = Play.objects.using(using).open().filter(user_id=user_id)
    found = list(rows.select_for_update().annotate(is_leased=is_leased).order_by("pk"))
    if not found:
        return []
    sessions = _ends_of_sessions(found, using)
    counting: list[Play] = []
    others: list[Play] = []
    for row in found:
        # The row of a session that is newer than the snapshot is not found.
        is_live = sessions.get(row.session_id) is None
        counts = is_live and cast("Any", row).is_leased
        (counting if counts else others).append(row)
    for reason, ended in _by_reason(others, sessions).items():
        end_plays(ended, reason, using)
    return sorted(counting, key=lambda row: (row.started_at, row.pk))


def record_lapsed(rows: Collection[Play], using: str) -> None:
    """Record the end of open plays that no longer count, without announcing it."""
    by_reason = _by_reason(rows, _ends_of_sessions(rows, using))
    for reason, ended in by_reason.items():
        plays = Play.objects.using(using).filter(pk__in=[row.pk for row in ended])
        plays.open().update(ended_at=_ENDED_AT[reason], ended_reason=reason)


def _ends_of_sessions(rows: Iterable[Play], using: str) -> dict[UUID, datetime | None]:
    """Return when the sessions of ``rows`` ended, for those with a row, by id."""
    sessions = UserSession.objects.using(using)
    found = sessions.filter(pk__in={row.session_id for row in rows})
    return dict(found.values_list("pk", "ended_at"))


def _by_reason(
    rows: Iterable[Play], ends_of_sessions: dict[UUID, datetime | None]
) -> dict[PlayEndReason, list[Play]]:
    """Group ``rows``, which no longer count, by the reason for their end."""
    found = defaultdict(list)
    for row in rows:
        found[row.end_reason(ends_of_sessions.get(row.session_id))].append(row)
    return found


_session_ended_at = Subquery(
    UserSession.objects.filter(pk=OuterRef("session_id")).values("ended_at")[:1]
)


# When a play ended for a reason that is recorded later.
_ENDED_AT: dict[PlayEndReason, Any] = {
    PlayEndReason.LAPSED: F("lease_until"),
    PlayEndReason.SESSION_ENDED: Coalesce(_session_ended_at, F("lease_until")),
}


def end_plays(
    rows: Collection[Play],
    reason: PlayEndReason,
    using: str,
    *,
    by_play: UUID | None = None,
) -> None:
    """
    End the plays ``rows``, which the current transaction on ``using`` has locked.
    ``by_play`` is the id of the play that displaced them.
    """
    if not rows:
        return
    plays = Play.objects.using(using).filter(pk__in=[row.pk for row in rows])
    plays.update(
        ended_at=_ENDED_AT.get(reason, DatabaseNow()),
        ended_reason=reason,
        ended_by_play=by_play,
    )
    ended = {row.pk: row for row in plays}
    for row in rows:
        row.ended_at, row.ended_reason = ended[row.pk].ended_at, reason
        row.ended_by_play = by_play
    after_commit(using, announcements.plays_ended, list(rows))
