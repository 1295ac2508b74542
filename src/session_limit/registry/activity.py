"""Keeping rows true between a sign-in and an ending, and clearing up after."""

from __future__ import annotations

import functools
from collections import defaultdict
from datetime import datetime
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from session_limit import audit, policy
from session_limit.conf import conf
from session_limit.models import AccountLimit, DatabaseNow, PendingSignIn, UserSession
from session_limit.registry import not_counting, pruning
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.ending import end, end_locked
from session_limit.registry.leases import prune_plays
from session_limit.registry.limits import NO_LIMIT, is_limit, limit_for
from session_limit.registry.plays import enforce_plays_locked
from session_limit.registry.pruning import BATCH
from session_limit.registry.transactions import (
    in_one_statement,
    in_transaction,
    live_rows,
    lock_account,
)
from session_limit.store import engines
from session_limit.store.queries import Row, registry_alias
from session_limit.utils.after_commit import after_commit

Reason = UserSession.Reason

ACTIVITY = BestEffort("Recording activity")
NOTICES = BestEffort("Recording that a notice was shown")


def deadline(
    user: AbstractBaseUser,
    stored_until: datetime,
    *,
    active_at: datetime,
    authenticated_at: datetime,
) -> tuple[datetime, Reason]:
    """
    Return when a session will be over if nothing more happens, and what will have
    ended it: its own expiry, the idle or the absolute timeout.
    """
    rules = conf.rules
    idle, absolute = rules.idle_timeout(user), rules.absolute_timeout(user)
    ends = [(stored_until, Reason.EXPIRED)]
    if idle is not None:
        ends.append((active_at + idle, Reason.IDLE))
    if absolute is not None:
        ends.append((authenticated_at + absolute, Reason.ABSOLUTE))
    return min(ends, key=lambda end: end[0])


def touch(
    row: Row, session: SessionBase, user: AbstractBaseUser, *, is_saved: bool
) -> None:
    """
    Record that the session is active, or that it expires at another time than the row
    says, if either is due. If ``is_saved``, it has just been stored and its expiry
    counts from now. Of parallel requests, one writes. If the database does not take
    the write at once, it is skipped, and the next request tries again.
    """
    now = timezone.now()
    if is_saved or row.expires_reason != Reason.EXPIRED:
        stored_until = session.get_expiry_date(modification=now)
    else:
        stored_until = row.expires_at
    ends_at = functools.partial(
        deadline, user, stored_until, authenticated_at=row.authenticated_at
    )
    if not row.is_touch_due(now):
        expires_at, _ = ends_at(active_at=row.last_active_at)
        if abs(expires_at - row.expires_at) < row.touch_interval:
            return
    expires_at, expires_reason = ends_at(active_at=now)
    rows = UserSession.objects.using(registry_alias()).live_with_id(row.id)
    ACTIVITY.update(
        row.id,
        rows.filter(last_active_at=row.last_active_at),
        last_active_at=now,
        expires_at=expires_at,
        expires_reason=expires_reason,
    )


def rekey(id: UUID, key: str | None, *, former: str | None) -> bool:
    """
    Record that the session's key is now ``key``, and was ``former``. Return whether the
    session is live.

    Call this before anything is stored under the key. Session rows come before stored
    sessions in the lock order, or a rotation and a sign-in could wait for each other.
    """

    def write(using: str) -> bool:
        rows = UserSession.objects.using(using).live_with_id(id)
        changed = rows.update(
            session_key=engines.storable(key),
            key_digest=engines.digest(key),
            former_digest=engines.digest(former),
            # What is not stored under it yet is not gone: see ghosts.end_gone().
            key_recorded_at=DatabaseNow(),
        )
        return changed > 0

    return in_one_statement(write)


def told(id: UUID, notice: UUID) -> bool:
    """
    Record that the session shows the notice of the sign-in with the id ``notice``.
    Return whether this call recorded it, so that of parallel requests one shows it. If
    the database does not take the write at once, a later page shows the notice.
    """
    rows = UserSession.objects.using(registry_alias()).live_with_id(id)
    return NOTICES.update(id, rows.filter(notice=notice), notice=None) > 0


def enforce(user: AbstractBaseUser) -> list[UserSession]:
    """
    Bring ``user`` down to the limit now, after a plan downgrade say, and return the
    sessions that were ended for it. What ``SESSION_LIMIT_DISPLACE`` would displace
    first goes first; ``"all"`` counts as least recent. What the account plays comes
    down to its limit too.
    """

    def work(using: str) -> list[UserSession]:
        return _enforce(user, lock_account(user.pk, using), using)

    return in_transaction(work)


def set_limit(
    user: AbstractBaseUser, limit: int | None, *, by: AbstractBaseUser | None = None
) -> list[UserSession]:
    """
    Give ``user`` a limit of their own, in every scope, or with ``None`` the project's
    again, and bring them down to it: see ``enforce()``. ``by`` is the user who gave
    it. Raises ``ValueError`` for what is no limit.
    """
    if not is_limit(limit):
        raise ValueError(NO_LIMIT.format(limit))

    def work(using: str) -> list[UserSession]:
        account = lock_account(user.pk, using)
        was, account.limit = account.limit, limit
        if was != limit:
            account.save(using=using, update_fields=["limit"])
            after_commit(using, audit.limit_changed, user.pk, was, limit, by)
        return _enforce(user, account, using, by=by)

    return in_transaction(work)


def _enforce(
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """Bring ``user``, whose ``account`` is locked, down to the limit."""
    live = not_counting.end_due(live_rows(user, using), timezone.now(), using)
    by_scope: dict[str, list[UserSession]] = defaultdict(list)
    for row in live:
        if row.counted:
            by_scope[row.scope].append(row)
    ended = []
    for scope, rows in by_scope.items():
        leaving = frozenset(
            policy.excess(
                [row.facts() for row in rows],
                limit=limit_for(user, scope, account),
                displace=conf.displace,
            )
        )
        ended += [row for row in rows if row.pk in leaving]
    end_locked(ended, Reason.LIMIT_LOWERED, using, by=by)
    if conf.uses_plays():
        enforce_plays_locked(user, using)
    return ended


def prune(*, dry_run: bool = False) -> tuple[int, int]:
    """
    End the sessions whose time is up, and delete the tombstones older than
    ``SESSION_LIMIT_RETENTION`` and those beyond the newest 1,000 of an account, in
    batches. Return how many were ended and how many deleted. Delete the sign-ins that
    have waited too long for a choice too, and plays by the same two rules. ``dry_run``
    counts and writes nothing.
    """
    using, now = registry_alias(), timezone.now()
    sessions = UserSession.objects.using(using)
    # What is due by the interval that every row is granted, and no sooner.
    due = sessions.live().filter(expires_at__lte=now - conf.touch_interval)
    old = sessions.filter(ended_at__lte=now - conf.retention)
    kept = sessions.filter(ended_at__gt=now - conf.retention)
    if dry_run:
        return due.count(), old.count() + sum(pruning.surplus(kept).values())
    ended = 0
    for reason in (Reason.EXPIRED, Reason.IDLE, Reason.ABSOLUTE):
        of_reason = due.filter(expires_reason=reason)
        while ids := list(of_reason.values_list("pk", flat=True)[:BATCH]):
            ended += len(end(ids, reason))
    PendingSignIn.objects.using(using).filter(expires_at__lte=now).delete()
    if conf.uses_plays():
        prune_plays()
    return ended, pruning.delete(old) + pruning.delete_surplus(kept)
