"""
Rows that look live and are not: they must not cost anybody a place.

Each takes rows that are locked, ends the ghosts among them, and returns the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone

from session_limit.models import STORED_WITHIN, AccountLimit, UserSession
from session_limit.registry.credentials import (
    credentials_reason,
    hash_is_valid,
    is_recorded_of,
)
from session_limit.registry.ending import end_locked
from session_limit.store import engines
from session_limit.store.queries import Row

Rows = list[UserSession]
Reason = UserSession.Reason


def _end_where(
    rows: Sequence[UserSession],
    reason_of: Callable[[UserSession], Reason | None],
    using: str,
) -> Rows:
    reasons = [(row, reason_of(row)) for row in rows]
    ghosts = sorted(
        ((row, reason) for row, reason in reasons if reason), key=lambda pair: pair[1]
    )
    for reason, group in groupby(ghosts, key=lambda pair: pair[1]):
        end_locked([row for row, _ in group], reason, using)
    return [row for row, reason in reasons if not reason]


def end_due(rows: Sequence[UserSession], now: datetime, using: str) -> Rows:
    """End those whose time is up."""
    return _end_where(rows, lambda row: due_reason(row, now), using)


def due_reason(row: UserSession, now: datetime) -> Reason | None:
    """Return why the session of ``row`` has expired by ``now``, if it has."""
    return Reason(row.expires_reason) if Row.of(row).is_due(now) else None


def end_same_browser(
    rows: Sequence[UserSession], presented_key: str | None, own: object, using: str
) -> Rows:
    """
    End the one whose key this browser presents though it is not signed in: what was
    stored is gone (``clearsessions``), so nobody can come back to it.
    """

    def reason_of(row: UserSession) -> Reason | None:
        theirs = row.session_key is not None and row.session_key == presented_key
        return Reason.EXPIRED if theirs and row.pk != own else None

    return _end_where(rows, reason_of, using)


def end_gone(
    rows: Sequence[UserSession],
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    settled: bool = False,
) -> Rows:
    """
    End those for which ``gone_reason()`` finds a reason.

    The reason is found once more from the locked row, whatever a plain read said.
    """

    def reason_of(row: UserSession) -> Reason | None:
        return gone_reason(row, user, account, settled=settled)

    return _end_where(rows, reason_of, using)


def gone_reason(
    row: UserSession,
    user: AbstractBaseUser,
    account: AccountLimit,
    *,
    settled: bool = False,
) -> Reason | None:
    """
    Return why the session of ``row`` no longer authenticates although its row is live:
    its stored session was deleted, or the account's credentials have changed.

    Reads the store once and writes nothing. Returns ``None`` if the session still
    authenticates, or if the store does not answer. ``settled`` says that the request
    that changed the credentials has stored the new ones.
    """
    now, changed_at = timezone.now(), account.password_changed_at
    # A request that changes the password stores its session's new hash only with its
    # response.
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
        # A sign-in stores its data only with its response too, and a rotation after
        # its new key was recorded.
        return None if row.may_be_unsaved() else Reason.EXPIRED
    if settled and not hash_is_valid(data.get(HASH_SESSION_KEY, ""), user):
        return credentials_reason(row.authenticated_at, user, account)
    return None
