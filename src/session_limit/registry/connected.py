"""Check whether the sessions of open connections, such as WebSockets, are live."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser

from session_limit.models import AccountLimit, EndReason, UserSession, registry_alias
from session_limit.registry import not_counting
from session_limit.registry.accounts import live_rows, lock_account, locked
from session_limit.registry.credentials import is_recorded_of
from session_limit.registry.ending import ENDINGS, end_locked
from session_limit.registry.limits import unrecorded_account
from session_limit.registry.transactions import transactional
from session_limit.store.liveness import Row
from session_limit.store.users import is_active, may_sign_in
from session_limit.utils.clock import utc_now

# How long after its key was recorded a connected session may have no stored data. Data
# was stored when the client connected. A change of key stores the data under the new
# key right after recording the key, long before the response.
UNSAVED_WITHIN = timedelta(seconds=30)


class Standing(NamedTuple):
    """
    The result of checking whether a session is live.

    ``expires_at`` is ``None`` if the session is not live. ``reason`` says why the
    session ended, or is ``""`` if the reason is unknown. ``is_recorded`` is false if
    the session has ended but its database row does not say so yet.
    """

    expires_at: datetime | None
    reason: str = ""
    is_recorded: bool = True

    @property
    def is_live(self) -> bool:
        """Whether the session has not ended and still authenticates its user."""
        return self.expires_at is not None


def standings(ids: Collection[UUID], *, thorough: bool = False) -> dict[UUID, Standing]:
    """
    Return the ``Standing`` of each session in ``ids``, by session id.

    The check runs one SQL statement and takes no lock. An expired session counts as
    ended even if its row is still marked live. With ``thorough``, the check runs two
    more statements and also finds sessions that would end with their next request. For
    example, the account was disabled, or the password or ``SECRET_KEY`` was changed
    without a signal.
    """
    using = registry_alias()
    sessions = UserSession.objects.using(using)
    rows = list(sessions.filter(pk__in=ids))
    reasons = _unrecorded_reasons(rows, using, thorough=thorough)
    if thorough and reasons:
        again = {row.pk: row for row in sessions.filter(pk__in=reasons)}
        for row in _changed(rows, again):
            del reasons[row.pk]
        rows = [again.get(row.pk, row) for row in rows]
    found = {row.pk: _standing(row, reasons.get(row.pk)) for row in rows}
    # A row that was not found was deleted with its user, or pruned.
    return {id: found.get(id, Standing(None)) for id in ids}


def deleted(ids: Collection[UUID]) -> set[UUID]:
    """
    Return the live sessions in ``ids`` whose stored data was deleted by other code.

    The check runs one SQL statement, takes no lock, and reads the session store once
    for many sessions. If the store fails, the result leaves its sessions out.
    """
    using = registry_alias()
    sessions = UserSession.objects.using(using)
    rows = list(sessions.live().filter(pk__in=ids))
    found = not_counting.deleted(rows, using, UNSAVED_WITHIN)
    again = {row.pk: row for row in sessions.filter(pk__in=found)} if found else {}
    return found - {row.pk for row in _changed(rows, again)}


def record_endings(ids: Collection[UUID]) -> None:
    """
    Mark the sessions in ``ids`` as ended if they no longer authenticate their users.

    ``standings()`` with ``thorough`` and ``deleted()`` find such sessions. Locked rows
    are skipped, if the database supports that. A skipped session ends with its next
    request, with the next sign-in of its account or through ``prunesessions``. If the
    database refuses the write, no exception is raised, because nothing depends on the
    write.
    """
    ENDINGS.attempt(functools.partial(_record_endings, ids))


@transactional
def _record_endings(using: str, ids: Collection[UUID]) -> None:
    live = UserSession.objects.using(using).live().filter(pk__in=ids)
    rows = locked(live, skip_locked=True)
    reasons = _unrecorded_reasons(rows, using, thorough=True)
    rest = [row for row in rows if row.pk not in reasons]
    found = not_counting.deleted(rest, using, UNSAVED_WITHIN)
    reasons |= dict.fromkeys(found, EndReason.EXPIRED)
    for row in rows:
        if row.pk in reasons:
            end_locked([row], reasons[row.pk], using)


@transactional
def end_left_behind(using: str, row: Row, user: AbstractBaseUser) -> None:
    """
    End the sessions of ``user`` that still have the old credentials.

    The session of ``row`` continues, because it was saved with the new credentials.
    """
    account = lock_account(user.pk, using)
    others = [other for other in live_rows(user, using) if other.pk != row.id]
    not_counting.end_unusable(others, user, account, using, settled=True)


def _standing(row: UserSession, reason: EndReason | None) -> Standing:
    if not row.is_live:
        return Standing(None, row.ended_reason)
    if reason is not None:
        return Standing(None, reason, is_recorded=False)
    return Standing(row.expires_at)


def _changed(
    rows: Iterable[UserSession], again: dict[UUID, UserSession]
) -> list[UserSession]:
    """Return the ``rows`` whose key, credentials or expiry differ in a second read."""
    # The store was read after the rows. A change of key in between deletes what was
    # stored under the old key, so a row that has changed counts as live.
    names = ("session_key", "credentials", "authenticated_at", "expires_at")
    return [
        row
        for row in rows
        if row.pk in again
        and any(getattr(row, name) != getattr(again[row.pk], name) for name in names)
    ]


def _unrecorded_reasons(
    rows: Iterable[UserSession], using: str, *, thorough: bool
) -> dict[UUID, EndReason]:
    """Return the end reasons of sessions that the database still marks as live."""
    now = utc_now()
    live = [row for row in rows if row.is_live]
    check = _credentials_check(live, using) if thorough and live else None
    found = {
        row.pk: Row.of(row).why_not_live(
            now, check_credentials=functools.partial(check, row) if check else None
        )
        for row in live
    }
    return {id: reason for id, reason in found.items() if reason}


def _credentials_check(
    rows: Collection[UserSession], using: str
) -> Callable[[UserSession], EndReason | None]:
    """Return a function that returns why a session does not authenticate its user."""
    # The users of all rows are read beforehand, in two statements.
    ids = {row.user_id for row in rows}
    users = get_user_model()._base_manager.using(using).in_bulk(ids)
    accounts = AccountLimit.objects.using(using).in_bulk(ids)

    def check(row: UserSession) -> EndReason | None:
        user = users.get(row.user_id)
        if user is None:
            # The user is being deleted, and the session with it.
            return None
        if not is_active(user) and not may_sign_in(user):
            return EndReason.ACCOUNT_DISABLED
        account = accounts.get(user.pk) or unrecorded_account(user)
        changed_at = account.password_changed_at
        was_changed = changed_at is not None and row.authenticated_at < changed_at
        if was_changed or not is_recorded_of(row, user):
            reasons = not_counting.unusable_reasons([row], user, account, using)
            return reasons.get(row.pk)
        return None

    return check
