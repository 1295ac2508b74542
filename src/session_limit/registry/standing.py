"""How sessions stand that nobody is asking for just now: those of who is connected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone

from session_limit.models import AccountLimit, UserSession
from session_limit.registry import ghosts
from session_limit.registry.credentials import is_recorded_of
from session_limit.registry.ending import end, end_all
from session_limit.registry.locking import (
    in_transaction,
    live_rows,
    lock_account,
    locked,
)
from session_limit.users import may_sign_in
from session_limit.verify import Row, registry_alias

Reason = UserSession.Reason


class Standing(NamedTuple):
    """
    Live, and when it is recorded to expire; or ended, and the reason: ``""`` where
    nothing is known of it.
    """

    expires_at: datetime | None
    reason: str = ""

    @property
    def is_live(self) -> bool:
        """Whether the session counts and authenticates."""
        return self.expires_at is not None


def standings(ids: Collection[UUID], *, thorough: bool = False) -> dict[UUID, Standing]:
    """
    Return how each of the sessions with these ids stands, having ended those whose
    time is up. One statement, where nothing is due. ``thorough`` also ends those that
    would end with their next request, because their account was disabled, its password
    changed, past any signal, or ``SECRET_KEY``: three statements.
    """
    using, now = registry_alias(), timezone.now()
    rows = list(UserSession.objects.using(using).filter(pk__in=ids))
    due = [row for row in rows if row.is_live and Row.of(row).is_due(now)]
    for row in due:
        end([row.pk], Reason(row.expires_reason))
    if thorough:
        due += _end_stale([row for row in rows if row.is_live], using)
    if due:
        again = UserSession.objects.using(using).filter(pk__in=[row.pk for row in due])
        renewed = {row.pk: row for row in again}
        rows = [renewed.get(row.pk, row) for row in rows]
    found = {
        row.pk: Standing(row.expires_at if row.is_live else None, row.ended_reason)
        for row in rows
    }
    # Deleted with its user, or pruned.
    return {id: found.get(id, Standing(None)) for id in ids}


def _end_stale(rows: Sequence[UserSession], using: str) -> list[UserSession]:
    """End those that no longer authenticate; return those it has looked at for it."""
    ids = {row.user_id for row in rows}
    users = get_user_model()._base_manager.using(using).in_bulk(ids)
    accounts = AccountLimit.objects.using(using).in_bulk(ids)
    stale = []
    for row in rows:
        user, account = users.get(row.user_id), accounts.get(row.user_id)
        changed_at = account.password_changed_at if account is not None else None
        if user is None:
            continue  # about to be gone, with its rows
        if not user.is_active and not may_sign_in(user):
            end_all(user, Reason.ACCOUNT_DISABLED)
            stale.append(row)
        elif (
            changed_at is not None and row.authenticated_at < changed_at
        ) or not is_recorded_of(row, user):
            _end_gone(row, user)
            stale.append(row)
    return stale


def _end_gone(row: UserSession, user: AbstractBaseUser) -> None:
    def work(using: str) -> None:
        account = lock_account(user.pk, using)
        rows = locked(UserSession.objects.using(using).live().filter(pk=row.pk))
        ghosts.end_gone(rows, user, account, using)

    in_transaction(work)


def end_left_behind(row: Row, user: AbstractBaseUser) -> None:
    """
    End the other sessions of ``user`` that go by credentials it no longer has. Only the
    session with this ``row`` goes by the new ones, and has been saved with them.
    """

    def work(using: str) -> None:
        account = lock_account(user.pk, using)
        others = [other for other in live_rows(user, using) if other.pk != row.id]
        ghosts.end_gone(others, user, account, using, settled=True)

    in_transaction(work)
