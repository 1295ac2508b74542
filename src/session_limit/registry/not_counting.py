"""
End sessions that are still marked live and no longer count, so that they take no place.

The functions that end sessions take rows that are locked, and return those that stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone

from session_limit.models import STORED_WITHIN, AccountLimit, EndReason, UserSession
from session_limit.registry.credentials import (
    credentials_reason,
    hash_is_valid,
    is_recorded_of,
)
from session_limit.registry.ending import end_locked
from session_limit.store import engines
from session_limit.store.queries import Row

Rows = list[UserSession]


def _end_where(
    rows: Sequence[UserSession],
    reason_of: Callable[[UserSession], EndReason | None],
    using: str,
) -> Rows:
    """End the ``rows`` that ``reason_of`` gives a reason for, and return the others."""
    remaining, ending = [], defaultdict(list)
    for row in rows:
        reason = reason_of(row)
        if reason is None:
            remaining.append(row)
        else:
            ending[reason].append(row)
    for reason, group in sorted(ending.items()):
        end_locked(group, reason, using)
    return remaining


def end_due(rows: Sequence[UserSession], now: datetime, using: str) -> Rows:
    """End the sessions that have expired by ``now``."""
    return _end_where(rows, lambda row: Row.of(row).why_not_live(now) or None, using)


def end_same_browser(
    rows: Sequence[UserSession], presented_key: str | None, own: object, using: str
) -> Rows:
    """
    End the session with the key that the browser presents without being signed in. The
    stored session was deleted (``clearsessions``), so the browser cannot return to it.

    ``own`` is the id of the session that is signing in again, which stays.
    """

    def reason_of(row: UserSession) -> EndReason | None:
        has_key = row.session_key is not None and row.session_key == presented_key
        return EndReason.EXPIRED if has_key and row.pk != own else None

    return _end_where(rows, reason_of, using)


def end_unusable(
    rows: Sequence[UserSession],
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    settled: bool = False,
) -> Rows:
    """
    End the sessions that ``unusable_reason()`` gives a reason for.

    It decides from the locked rows, whatever an earlier read without a lock has said.
    """

    def reason_of(row: UserSession) -> EndReason | None:
        return unusable_reason(row, user, account, settled=settled)

    return _end_where(rows, reason_of, using)


def unusable_reason(
    row: UserSession,
    user: AbstractBaseUser,
    account: AccountLimit,
    *,
    settled: bool = False,
) -> EndReason | None:
    """
    Return why the session of ``row`` no longer authenticates although its row is live:
    its stored session was deleted, or the credentials of ``user`` have changed.

    Reads the store once and writes nothing. Returns ``None`` if the session still
    authenticates, or if the store fails. ``settled`` says that the request that changed
    the credentials has stored its own session with the new ones.
    """
    now, changed_at = timezone.now(), account.password_changed_at
    # Without ``settled``, that request may not have sent its response yet.
    settled = settled or changed_at is None or changed_at + STORED_WITHIN <= now
    if row.session_key is None:
        # Nothing is stored under a key, so the recorded digest has to decide.
        if settled and not is_recorded_of(row, user):
            return credentials_reason(row.authenticated_at, user, account)
        return None
    data = engines.read(row.session_key)
    if data is None:
        return None
    if data.get(engines.ID) != row.pk.hex:
        # A sign-in stores its data with its response, and a change of key stores them
        # after it has recorded the key.
        return None if row.may_be_unsaved() else EndReason.EXPIRED
    if settled and not hash_is_valid(data.get(HASH_SESSION_KEY, ""), user):
        return credentials_reason(row.authenticated_at, user, account)
    return None
