"""Find out whether connected sessions, which send no request, are still live."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone

from session_limit.models import AccountLimit, UserSession, registry_alias
from session_limit.registry import not_counting
from session_limit.registry.accounts import live_rows, lock_account, locked
from session_limit.registry.credentials import is_recorded_of
from session_limit.registry.ending import ENDINGS, end_locked
from session_limit.registry.limits import unrecorded_account
from session_limit.registry.transactions import in_transaction
from session_limit.store.queries import Row
from session_limit.store.users import may_sign_in

Reason = UserSession.Reason


class Standing(NamedTuple):
    """
    Whether a session is live.

    ``expires_at`` is set if it is live. ``reason`` says why it ended, and is ``""`` if
    that is not known. ``is_recorded`` is false if the row is still marked live, so that
    the ending has yet to be written: see ``record_endings()``.
    """

    expires_at: datetime | None
    reason: str = ""
    is_recorded: bool = True

    @property
    def is_live(self) -> bool:
        """Whether the session counts and authenticates."""
        return self.expires_at is not None


def standings(ids: Collection[UUID], *, thorough: bool = False) -> dict[UUID, Standing]:
    """
    Return whether each of the sessions with these ids is live.

    Reads only, without a lock, in one statement. A session that has expired counts as
    ended even if its row is still marked live. ``thorough`` takes two statements more
    and also finds sessions that would end with their next request: their account was
    disabled, or its password or ``SECRET_KEY`` changed, without a signal.
    """
    using = registry_alias()
    sessions = UserSession.objects.using(using)
    rows = list(sessions.filter(pk__in=ids))
    reasons = _unrecorded_reasons(rows, using, thorough=thorough)
    if thorough and reasons:
        # The store was read after the rows. A rotation in between deletes what was
        # stored under the old key, so only a row that has not changed is decided on.
        again = {row.pk: row for row in sessions.filter(pk__in=reasons)}
        changed = [row for row in rows if _has_changed(row, again.get(row.pk))]
        for row in changed:
            del reasons[row.pk]
        rows = [again.get(row.pk, row) for row in rows]
    found = {row.pk: _standing(row, reasons.get(row.pk)) for row in rows}
    # A row that is not there was deleted with its user, or pruned.
    return {id: found.get(id, Standing(None)) for id in ids}


def record_endings(ids: Collection[UUID]) -> None:
    """
    Write down the endings of the sessions with these ids that have ended, as
    ``standings()`` with ``thorough`` finds, while their rows are still marked live.

    Skips a row that somebody else has locked, if the database can: the next request of
    that session, the next sign-in of its account or ``prunesessions`` ends it. Raises
    nothing if the database refuses, because nothing depends on the writing.
    """

    def work(using: str) -> None:
        live = UserSession.objects.using(using).live().filter(pk__in=ids)
        rows = locked(live, skip_locked=True)
        reasons = _unrecorded_reasons(rows, using, thorough=True)
        for row in rows:
            if row.pk in reasons:
                end_locked([row], reasons[row.pk], using)

    ENDINGS.attempt(functools.partial(in_transaction, work))


def end_left_behind(row: Row, user: AbstractBaseUser) -> None:
    """
    End the other sessions of ``user`` that go by credentials it no longer has. Only the
    session with this ``row`` goes by the new ones, and has been saved with them.
    """

    def work(using: str) -> None:
        account = lock_account(user.pk, using)
        others = [other for other in live_rows(user, using) if other.pk != row.id]
        not_counting.end_gone(others, user, account, using, settled=True)

    in_transaction(work)


def _standing(row: UserSession, reason: Reason | None) -> Standing:
    if not row.is_live:
        return Standing(None, row.ended_reason)
    if reason is not None:
        return Standing(None, reason, is_recorded=False)
    return Standing(row.expires_at)


def _has_changed(row: UserSession, again: UserSession | None) -> bool:
    """Whether the credentials or the key of ``row`` are others ``again``."""
    names = ("session_key", "credentials", "authenticated_at", "expires_at")
    return again is not None and any(
        getattr(row, name) != getattr(again, name) for name in names
    )


def _unrecorded_reasons(
    rows: Iterable[UserSession], using: str, *, thorough: bool
) -> dict[UUID, Reason]:
    """Return why sessions have ended whose ``rows`` are still marked live, by id."""
    now = timezone.now()
    live = [row for row in rows if row.is_live]
    reasons = {
        row.pk: reason for row in live if (reason := not_counting.due_reason(row, now))
    }
    if thorough:
        reasons |= _stale_reasons([r for r in live if r.pk not in reasons], using)
    return reasons


def _stale_reasons(rows: Sequence[UserSession], using: str) -> dict[UUID, Reason]:
    """Return why those of ``rows`` no longer authenticate that do not, by id."""
    if not rows:
        return {}
    ids = {row.user_id for row in rows}
    users = get_user_model()._base_manager.using(using).in_bulk(ids)
    accounts = AccountLimit.objects.using(using).in_bulk(ids)
    # A user who is not there is being deleted, and so are the user's sessions.
    found = (
        (row.pk, _stale_reason(row, user, accounts.get(user.pk)))
        for row in rows
        if (user := users.get(row.user_id)) is not None
    )
    return {id: reason for id, reason in found if reason is not None}


def _stale_reason(
    row: UserSession, user: AbstractBaseUser, account: AccountLimit | None
) -> Reason | None:
    if not user.is_active and not may_sign_in(user):
        return Reason.ACCOUNT_DISABLED
    account = account or unrecorded_account(user)
    changed_at = account.password_changed_at
    was_changed = changed_at is not None and row.authenticated_at < changed_at
    if was_changed or not is_recorded_of(row, user):
        return not_counting.gone_reason(row, user, account)
    return None
