"""Lock the database row of an account and the rows of its sessions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections
from django.db.models import F

from session_limit.models import AccountLimit, UserSession, UserSessionQuerySet
from session_limit.utils.clock import utc_now


def lock_account(user_id: Any, using: str, **changes: Any) -> AccountLimit:
    """
    Lock a user's ``AccountLimit`` row for the current transaction, and return the row.

    ``user_id`` is the user's primary key. The row is created if it does not exist. The
    field values in ``changes`` are saved to the row.
    """
    # The lock is taken with a write, because SQLite has no SELECT ... FOR UPDATE, and a
    # transaction there that begins with a read may fail to become a writer. One
    # statement creates or locks the row and reads it, except on MySQL, which has no
    # RETURNING.
    changes["locked_at"] = utc_now()
    accounts = AccountLimit._base_manager.using(using)
    features = connections[using].features
    with_target = features.supports_update_conflicts_with_target
    [account] = accounts.bulk_create(
        [AccountLimit(user_id=user_id, **changes)],
        update_conflicts=True,
        update_fields=list(changes),
        unique_fields=["user"] if with_target else None,
    )
    if not features.can_return_rows_from_bulk_insert:
        account.refresh_from_db(using=using)
    return account


def locked(
    rows: UserSessionQuerySet, *, skip_locked: bool = False
) -> list[UserSession]:
    """
    Lock ``UserSession`` rows for the current transaction, and return them in a list.

    With ``skip_locked``, rows that another transaction has locked are left out, if the
    database supports that. Otherwise, this function waits for these rows.
    """
    # A plain read could return a session key that another request is just replacing.
    # The rows are locked in the order of their ids, so that two callers cannot
    # deadlock.
    features = connections[rows.db].features
    if not features.has_select_for_update:
        # On SQLite, a transaction that has written holds a lock on the whole file.
        rows.update(scope=F("scope"))
        return list(rows.order_by("pk"))
    skip_locked = skip_locked and features.has_select_for_update_skip_locked
    return list(rows.select_for_update(skip_locked=skip_locked).order_by("pk"))


def live_rows(user: AbstractBaseUser, using: str) -> list[UserSession]:
    """
    Lock and return the rows of the live sessions of ``user``, in the order of ids.

    The caller must hold the lock on the account's row.
    """
    rows = UserSession.objects.using(using).live().for_user(user)
    return list(rows.select_for_update().order_by("pk"))
