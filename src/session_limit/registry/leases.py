"""
Stop and end playbacks of limited content.

A playback counts towards the limit while its player renews the playback in time and its
session is live. The end of other playbacks is recorded when the account starts another
playback, or by ``prunesessions``.
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

from session_limit.models import DatabaseNow, Play, PlayEndReason, UserSession
from session_limit.registry import announcements
from session_limit.registry.accounts import lock_account
from session_limit.registry.transactions import transactional
from session_limit.utils.after_commit import after_commit

# How long before its start the lease of a play ends that was stopped before it began.
BEFORE_START = timedelta(seconds=30)
# The maximum number of plays of an account that were stopped before they began.
MAX_STOPPED = 100


def play_id_of(session_id: UUID, key: str) -> UUID:
    """Return the id of the playback that a session starts with this ``key``."""
    return uuid.uuid5(session_id, key)


@transactional
def stop_play(using: str, id: UUID, session_id: UUID) -> bool:
    """
    Stop a playback, and return whether the playback still counted towards the limit.

    ``id`` is the playback's id, and ``session_id`` is the id of its session. Another
    playback can then start immediately. A playback that was not renewed in time does
    not change, because it has already ended for that reason.
    """
    plays = Play.objects.using(using)
    rows = plays.leased().filter(pk=id, session_id=session_id)
    counted = rows.update(ended_at=DatabaseNow(), ended_reason=PlayEndReason.STOPPED)
    if counted:
        after_commit(using, announcements.plays_ended, plays.filter(pk=id))
    return counted > 0


def stop_start(session: UserSession, key: str) -> None:
    """
    Stop the playback that ``session`` started with ``key``, or prevent its start.

    The session must be live. A client may stop a playback before the response to the
    start arrives. The start request itself may arrive after the stop request.
    """
    id = play_id_of(session.pk, key)
    if not stop_play(id, session.pk):
        _record_stopped(id, session)


@transactional
def _record_stopped(using: str, id: UUID, session: UserSession) -> None:
    # A start under this key has either committed before this lock, and is seen below,
    # or waits for the lock.
    lock_account(session.user_id, using)
    if Play.objects.using(using).filter(pk=id).exists():
        return
    _forget_stopped(session.user_id, using)
    Play(
        id=id,
        user_id=session.user_id,
        session=session,
        started_at=cast("Any", DatabaseNow()),
        # The lease of a play that never began ends before its start: see
        # PlayQuerySet.begun().
        lease_until=cast("Any", DatabaseNow() - BEFORE_START),
        ended_at=cast("Any", DatabaseNow()),
        ended_reason=PlayEndReason.STOPPED,
    ).save(using=using, force_insert=True)


def _forget_stopped(user_id: Any, using: str) -> None:
    """Delete the oldest rows of playbacks that were stopped before they began."""
    # Every key that a client stops makes a row. The index has ``ended_at`` beside the
    # user, so plays older than an hour are not read. The caller has locked the account.
    stopped = Play.objects.using(using).filter(
        user_id=user_id,
        ended_at__gt=DatabaseNow() - timedelta(hours=1),
        lease_until__lt=F("started_at"),
    )
    ids = stopped.order_by("-ended_at", "-pk").values_list("pk", flat=True)
    if leaving := list(ids[MAX_STOPPED - 1 :]):
        Play.objects.using(using).filter(pk__in=leaving).delete()


def find_play(id: UUID, session_id: UUID) -> Play | None:
    """Return a session's current or ended playback, or ``None`` if none has this id."""
    rows = Play.objects.primary().filter(pk=id, session_id=session_id)
    return rows.first()


def live_plays(user: AbstractBaseUser) -> list[Play]:
    """Return the current playbacks of ``user`` with their sessions, oldest first."""
    rows = Play.objects.primary().live().filter(user_id=user.pk)
    return list(rows.select_related("session").order_by("started_at", "pk"))


def lock_counting_plays(user_id: Any, using: str) -> list[Play]:
    """
    Lock and return a user's playbacks that count towards the limit, oldest first.

    Other playbacks are recorded as ended. The caller must hold the account's lock.
    """
    # Playbacks that were not renewed in time are locked too. Otherwise, a renewal that
    # began in time could revive a playback that was no longer counted.
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
        # A session row newer than the snapshot is not found, and the session is live.
        is_live = sessions.get(row.session_id) is None
        counts = is_live and cast("Any", row).is_leased
        (counting if counts else others).append(row)
    for reason, ended in _by_reason(others, sessions).items():
        end_plays(ended, reason, using)
    return sorted(counting, key=lambda row: (row.started_at, row.pk))


def record_lapsed(rows: Collection[Play], using: str) -> None:
    """Record the end of playbacks that no longer count, without announcing the end."""
    by_reason = _by_reason(rows, _ends_of_sessions(rows, using))
    for reason, ended in by_reason.items():
        plays = Play.objects.using(using).filter(pk__in=[row.pk for row in ended])
        plays.open().update(ended_at=_ENDED_AT[reason], ended_reason=reason)


def _ends_of_sessions(rows: Iterable[Play], using: str) -> dict[UUID, datetime | None]:
    """Return when the session of each playback ended, or ``None``, by session id."""
    sessions = UserSession.objects.using(using)
    found = sessions.filter(pk__in={row.session_id for row in rows})
    return dict(found.values_list("pk", "ended_at"))


def _by_reason(
    rows: Iterable[Play], ends_of_sessions: dict[UUID, datetime | None]
) -> dict[PlayEndReason, list[Play]]:
    """Return ``rows`` grouped by the reason why each playback ended."""
    found = defaultdict(list)
    for row in rows:
        found[row.end_reason(ends_of_sessions.get(row.session_id))].append(row)
    return found


_session_ended_at = Subquery(
    UserSession.objects.filter(pk=OuterRef("session_id")).values("ended_at")[:1]
)


# When a play ended, for the reasons that are recorded only later.
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
    End the playbacks in ``rows``. The caller must have locked these rows.

    ``using`` is the database alias. ``by_play`` is the id of the playback that
    displaced the playbacks.
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
