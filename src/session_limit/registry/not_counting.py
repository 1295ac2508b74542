"""
End sessions that are still marked live but no longer count towards the limit.

The functions that end sessions take locked rows and return the rows that stay live.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser

from session_limit.models import STORED_WITHIN, AccountLimit, EndReason, UserSession
from session_limit.registry.credentials import (
    credentials_reason,
    hash_is_valid,
    is_recorded_of,
)
from session_limit.registry.ending import end_locked
from session_limit.store import engines
from session_limit.store.liveness import Row
from session_limit.utils.clock import utc_now

Rows = list[UserSession]


def _end_where(
    rows: Sequence[UserSession],
    reason_of: Callable[[UserSession], EndReason | None],
    using: str,
) -> Rows:
    """End the sessions for which ``reason_of`` gives a reason; return the others."""
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
    """End the sessions in ``rows`` that have expired by ``now``; return the others."""
    return _end_where(rows, lambda row: Row.of(row).why_not_live(now) or None, using)


def end_same_browser(
    rows: Sequence[UserSession], presented_key: str | None, own: object, using: str
) -> Rows:
    """
    End the former session of a browser that signs in, and return the other rows.

    ``presented_key`` is the session key that the browser sent without being signed in.
    The stored session with that key was deleted (for example by ``clearsessions``), so
    the browser cannot use the session again. ``own`` is the id of the session that
    signs in. This session does not end.
    """

    def reason_of(row: UserSession) -> EndReason | None:
        has_key = row.session_key is not None and row.session_key == presented_key
        return EndReason.EXPIRED if has_key and row.pk != own else None

    return _end_where(rows, reason_of, using)


def former_places(
    rows: Sequence[UserSession], browsers: frozenset[str], scope: str
) -> Rows:
    """
    Return the sessions in ``rows`` whose place a sign-in in the same browser takes.

    ``browsers`` are the digests that recognize the browser. The browser cannot have two
    sessions, so these sessions end if the sign-in is admitted, and do not count until
    then. Only sessions that count towards the limit of ``scope`` are returned.
    """
    return [
        row for row in rows if row.browser in browsers and row.takes_place_in(scope)
    ]


def end_unusable(
    rows: Sequence[UserSession],
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    settled: bool = False,
) -> Rows:
    """End the sessions that no longer authenticate ``user``; return the others."""
    # The locked rows decide, whatever an earlier read without a lock returned.

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
    Return why a live session no longer authenticates ``user``, or ``None`` if it does.

    Either the stored session was deleted, or the user's credentials changed. The check
    reads the session store once and writes nothing. If the session store fails, the
    result is ``None``. ``settled`` says that the request that changed the credentials
    has already stored its own session with the new credentials.
    """
    now, changed_at = utc_now(), account.password_changed_at
    # Unless ``settled`` is true, that request may not have sent its response yet.
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
        # A sign-in stores its data with its response, and a change of key stores the
        # data after recording the key.
        return None if row.may_be_unsaved() else EndReason.EXPIRED
    if settled and not hash_is_valid(data.get(HASH_SESSION_KEY, ""), user):
        return credentials_reason(row.authenticated_at, user, account)
    return None
