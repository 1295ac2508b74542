"""
Keeping plays: a play is a lease, which counts while it is renewed, and while its
session is live. What is open and does not count is ended by whoever needs its place.
"""

from __future__ import annotations

import functools
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import BooleanField, ExpressionWrapper, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from session_limit import audit, bus, signals
from session_limit.models import LEASE, DatabaseNow, Play, UserSession
from session_limit.registry.accounts import lock_account
from session_limit.registry.transactions import in_one_statement, in_transaction
from session_limit.utils.after_commit import after_commit

Reason = Play.Reason

# How often a play asks to be renewed: two beats may be lost on the way.
INTERVAL = LEASE / 3

# How many starts that were stopped before they began an account keeps.
MAX_STOPPED = 100


def play_id_of(session_id: UUID, key: str) -> UUID:
    """
    Return the id of the play that the session with this id starts under ``key``: of its
    alone, as nobody's made-up key may meet another's.
    """
    return uuid.uuid5(session_id, key)


def renew_play(id: UUID, session_id: UUID) -> bool:
    """
    Renew the play with this id, of the session with that one, which the caller knows to
    be live: for another ``LEASE``. Return whether it counts still. One indexed
    ``UPDATE``, without a lock of the account: a play that has lapsed is started anew.
    """
    return in_one_statement(functools.partial(renew, id, session_id))


def renew(id: UUID, session_id: UUID, using: str) -> bool:
    """See ``renew_play()``: within a transaction on ``using``."""
    rows = Play.objects.using(using).leased().filter(pk=id, session_id=session_id)
    return rows.update(lease_until=DatabaseNow() + LEASE) > 0


def stop_play(id: UUID, session_id: UUID) -> bool:
    """
    Stop the play with this id, of the session with that one, and free its place at
    once. Return whether it counted still: one that has lapsed did not play until now.
    """

    def work(using: str) -> bool:
        rows = Play.objects.using(using).leased().filter(pk=id, session_id=session_id)
        counted = rows.update(ended_at=DatabaseNow(), ended_reason=Reason.STOPPED) > 0
        if counted:
            after_commit(using, _tell_ended_by_id, id, using)
        return counted

    return in_transaction(work)


def stop_start(session: UserSession, key: str) -> None:
    """
    Stop what the live ``session`` has started under ``key``, and free its place at
    once; or see to it that it does not begin, where the start has yet to arrive: who
    asks has not heard of it, and may be gone before it is answered.
    """
    id = play_id_of(session.pk, key)

    def work(using: str) -> None:
        # Every start waits for it, or is seen.
        lock_account(session.user_id, using)
        if not Play.objects.using(using).filter(pk=id).exists():
            _forget_stopped(session.user_id, using)
            Play(
                id=id,
                user_id=session.user_id,
                session=session,
                started_at=cast("Any", DatabaseNow()),
                # It never counted: see PlayQuerySet.begun().
                lease_until=cast("Any", DatabaseNow() - LEASE),
                ended_at=cast("Any", DatabaseNow()),
                ended_reason=Reason.STOPPED,
            ).save(using=using, force_insert=True)

    if not stop_play(id, session.pk):
        in_transaction(work)


def _forget_stopped(user_id: Any, using: str) -> None:
    """
    Make room for another stopped start: delete the oldest of those from the last hour
    that this user's clients stopped before they began. Every key that a client stops
    makes a row. The caller has locked the account.
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
    """Return the play with this id, open or ended, of the session with that one."""
    rows = Play.objects.primary().filter(pk=id, session_id=session_id)
    return rows.first()


def live_plays(user: AbstractBaseUser) -> list[Play]:
    """Return what ``user`` plays now, the oldest first, each with its ``session``."""
    rows = Play.objects.primary().live().filter(user_id=user.pk)
    return list(rows.select_related("session").order_by("started_at", "pk"))


def lock_counting_plays(user_id: Any, using: str) -> list[Play]:
    """
    Return the plays that count of the user whose account is locked, the oldest first,
    having ended those that are open and do not.

    Every open one is locked, those too whose lease is over: a renewal under way, which
    began before that, would else bring back a play that was no longer counted.
    """
    is_leased = ExpressionWrapper(
        Q(lease_until__gt=DatabaseNow()), output_field=BooleanField()
    )
    rows = Play.objects.using(using).open().filter(user_id=user_id)
    found = list(rows.select_for_update().annotate(is_leased=is_leased).order_by("pk"))
    if not found:
        return []
    sessions = _sessions_of(found, using)
    counting: list[Play] = []
    over: list[Play] = []
    for row in found:
        # A snapshot need not know a session that is newer than it.
        is_live = sessions.get(row.session_id) is None
        counts = is_live and cast("Any", row).is_leased
        (counting if counts else over).append(row)
    for reason, ended in _by_reason(over, sessions).items():
        end_plays(ended, reason, using)
    return sorted(counting, key=lambda row: (row.started_at, row.pk))


def _sessions_of(rows: Iterable[Play], using: str) -> dict[UUID, datetime | None]:
    """Return when the sessions of ``rows`` have ended; those that are still kept."""
    sessions = UserSession.objects.using(using)
    found = sessions.filter(pk__in={row.session_id for row in rows})
    return dict(found.values_list("pk", "ended_at"))


def _by_reason(
    rows: Iterable[Play], sessions: dict[UUID, datetime | None]
) -> dict[Reason, list[Play]]:
    """Return ``rows``, which count no more, by why: see ``_sessions_of()``."""
    over = defaultdict(list)
    for row in rows:
        over[row.unheard_reason(sessions.get(row.session_id))].append(row)
    return over


_session_ended_at = Subquery(
    UserSession.objects.filter(pk=OuterRef("session_id")).values("ended_at")[:1]
)


# What nobody wrote down when it happened.
_ENDED_AT: dict[Reason, Any] = {
    Reason.LAPSED: F("lease_until"),
    Reason.SESSION_ENDED: Coalesce(_session_ended_at, F("lease_until")),
}


def end_plays(
    rows: Collection[Play],
    reason: Reason,
    using: str,
    *,
    by_play: UUID | None = None,
) -> None:
    """End ``rows``, locked in the current transaction on ``using``."""
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
    after_commit(using, _tell_ended, list(rows))


def _tell_ended_by_id(id: UUID, using: str) -> None:
    row = Play.objects.using(using).filter(pk=id).first()
    if row is not None:
        _tell_ended([row])


def _tell_ended(rows: Sequence[Play]) -> None:
    paused = [row for row in rows if row.ended_reason in Play.HEARD]
    if paused:
        bus.publish([row.session_id for row in paused])
    for row in rows:
        audit.play_ended(row)
        signals.play_ended.send_robust(
            sender=Play,
            play=row,
            reason=Reason(row.ended_reason),
            by_play=row.ended_by_play,
        )
