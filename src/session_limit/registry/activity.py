"""Record activity, changes of key and shown notices in the rows of live sessions."""

from __future__ import annotations

import functools
from datetime import datetime
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q

from session_limit.models import (
    STORED_WITHIN,
    DatabaseNow,
    EndReason,
    UserSession,
)
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.transactions import one_statement
from session_limit.rules import get_rules
from session_limit.store import engines
from session_limit.store.liveness import Row
from session_limit.store.store_ids import store_id
from session_limit.store.users import lazy_user
from session_limit.utils.clock import utc_now

ACTIVITY = BestEffort("Recording activity")
NOTICES = BestEffort("Recording that a notice was shown")


def deadline(
    user: AbstractBaseUser,
    stored_until: datetime,
    *,
    active_at: datetime,
    authenticated_at: datetime,
) -> tuple[datetime, EndReason]:
    """
    Return when a session of ``user`` expires without further activity, and why.

    The session expires at the earliest of three times: ``stored_until`` (the expiry
    that Django gives the session), the idle timeout after ``active_at``, and the
    absolute timeout after ``authenticated_at``.
    """
    rules = get_rules()
    idle, absolute = rules.idle_timeout(user), rules.absolute_timeout(user)
    ends = [(stored_until, EndReason.EXPIRED)]
    if idle is not None:
        ends.append((active_at + idle, EndReason.IDLE))
    if absolute is not None:
        ends.append((authenticated_at + absolute, EndReason.ABSOLUTE))
    return min(ends, key=lambda end: end[0])


def touch(
    row: Row,
    session: SessionBase,
    user: AbstractBaseUser,
    *,
    is_saved: bool,
    is_active: bool = True,
) -> None:
    """
    Update the last activity and the expiry of a session if its row is out of date.

    ``is_saved`` says that the session data has just been stored, so that its expiry
    starts again. If ``is_active`` is false, the request does not count as activity, and
    only a change of the session's own expiry is recorded. Only one of several parallel
    requests updates the row. If the database cannot write immediately, the next request
    tries again.
    """
    now = utc_now()
    if is_saved or row.expires_reason != EndReason.EXPIRED:
        stored_until = engines.expiry_of(session, now)
    else:
        stored_until = row.expires_at
    ends_at = functools.partial(
        deadline, user, stored_until, authenticated_at=row.authenticated_at
    )
    active_at = now if is_active else row.last_active_at
    if not is_active or not row.is_touch_due(now):
        expires_at, _ = ends_at(active_at=row.last_active_at)
        if abs(expires_at - row.expires_at) < row.touch_interval:
            return
    expires_at, expires_reason = ends_at(active_at=active_at)
    rows = UserSession.objects.primary().live_with_id(row.id)
    ACTIVITY.update(
        row.id,
        rows.filter(last_active_at=row.last_active_at),
        last_active_at=active_at,
        expires_at=expires_at,
        expires_reason=expires_reason,
        # The session was read from this store, which may have been renamed or moved.
        store=store_id(),
    )


def touch_unread(row: Row) -> bool | None:
    """
    Record that a session is active without reading its row again.

    ``row`` is the row of a live session, as it was read earlier. Return whether this
    call has recorded the activity. It has not if the row is locked, or if another
    process has recorded activity within the touch interval. Return ``None`` if the
    activity may change when the session expires. Nothing is recorded then.
    """
    now = utc_now()
    user, unchanged = lazy_user(row.user_id), (row.expires_at, EndReason.EXPIRED)
    ends = deadline(
        user, row.expires_at, active_at=now, authenticated_at=row.authenticated_at
    )
    if row.expires_reason != EndReason.EXPIRED or ends != unchanged:
        return None
    rows = UserSession.objects.primary().live_with_id(row.id)
    due = rows.filter(last_active_at__lte=now - row.touch_interval)
    changes = {"last_active_at": now, "store": store_id()}
    return ACTIVITY.update(row.id, due, **changes) > 0


@one_statement
def rekey(using: str, id: UUID, key: str | None, *, former: str | None) -> bool:
    """
    Record a session's new key, and return whether the session is still live.

    ``id`` is the session's id, ``key`` is the new session key, and ``former`` is the
    previous key. The caller must not store data under ``key`` before this call.
    """
    # Session rows are locked before stored sessions. In the other order, a change of
    # key and a sign-in could deadlock.
    rows = UserSession.objects.using(using).live_with_id(id)
    changed = rows.update(
        session_key=engines.storable(key),
        key_digest=engines.digest(key),
        former_digest=engines.digest(former),
        # Until the data is stored, the session must not look deleted: see
        # UserSession.may_be_unsaved().
        key_recorded_at=DatabaseNow(),
        store=store_id(),
    )
    return changed > 0


def correct_key(row: Row, key: str | None) -> None:
    """
    Record the ``key`` under which the live session of ``row`` is stored.

    Code that ran without this package may have changed the session's key. The session
    would then look deleted. Nothing is recorded if the recorded key may be right: if
    data are stored under that key, or if a request has just recorded the key.
    """
    recorded = row.session_key
    if recorded is None or recorded == key or engines.storable(key) is None:
        return
    if engines.read(recorded) != {}:
        return
    is_settled = Q(key_recorded_at=None) | Q(
        key_recorded_at__lte=DatabaseNow() - STORED_WITHIN
    )
    rows = UserSession.objects.primary().live_with_id(row.id)
    ACTIVITY.update(
        row.id,
        rows.filter(is_settled, session_key=recorded),
        session_key=key,
        key_digest=engines.digest(key),
        store=store_id(),
    )


def mark_notified(id: UUID, notice: UUID) -> bool:
    """
    Return whether to show a notice of a new sign-in, and record that it was shown.

    ``id`` is the id of the session that shows the notice, and ``notice`` is the id of
    the new sign-in. Only one of several parallel requests gets ``True``. If the
    database cannot write immediately, a later page shows the notice.
    """
    rows = UserSession.objects.primary().live_with_id(id)
    return NOTICES.update(id, rows.filter(notice=notice), notice=None) > 0
