"""Lock the database row of an account and the rows of its sessions."""

from __future__ import annotations

import functools
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, transaction
from django.db.models import F
from django.db.models.constants import OnConflict

from session_limit.models import AccountLimit, UserSession, UserSessionQuerySet
from session_limit.registry.transactions import MAKE_DURABLE, must_make_durable
from session_limit.utils import sql
from session_limit.utils.clock import utc_now

# The columns that decide what is left to do once the account is locked.
_RETURNED = ("limit", "password_changed_at")


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
    given = {"user_id": user_id, **changes}
    text = _lock(tuple(given), using, durably=must_make_durable(using))
    values = sql.prepared(AccountLimit, given, using)
    statement = sql.Statement(text, values)
    # The caller may have a transaction open, and catch the error of this statement.
    with transaction.mark_for_rollback_on_error(using):
        if not connections[using].features.can_return_rows_from_bulk_insert:
            sql.execute(using, statement)
            return AccountLimit._base_manager.using(using).get(pk=user_id)
        [(limit, changed_at, *_)] = sql.fetch(using, statement)
    account = sql.made(AccountLimit, _RETURNED, (limit, changed_at), using)
    account.user_id = user_id
    return account


@functools.cache
def _lock(names: tuple[str, ...], using: str, *, durably: bool) -> str:
    """Return SQL that creates or updates an ``AccountLimit`` row and returns it."""
    connection = connections[using]
    fields = [sql.field(AccountLimit, name) for name in names]
    listed = sql.columns(AccountLimit, names, using)
    features, ops = connection.features, connection.ops
    on_conflict = ops.on_conflict_suffix_sql(
        fields,
        OnConflict.UPDATE,
        [each.column for each in fields[1:]],
        ["user_id"] if features.supports_update_conflicts_with_target else [],
    )
    text = (
        f"INSERT INTO {sql.table(AccountLimit, using)} ({', '.join(listed)})"  # noqa: S608
        f" VALUES ({sql.placeholders(len(names))}) {on_conflict}"
    )
    if not features.can_return_rows_from_bulk_insert:
        return text
    returned = sql.columns(AccountLimit, _RETURNED, using)
    durable = [MAKE_DURABLE] if durably else []
    return f"{text} RETURNING {', '.join([*returned, *durable])}"


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
    values = sql.prepared(UserSession, {"user": user.pk}, using)
    return sql.instances(UserSession, sql.Statement(_live_rows(using), values), using)


@functools.cache
def _live_rows(using: str) -> str:
    """Return SQL that locks and reads the rows of a user's live sessions."""
    names = [field.name for field in UserSession._meta.concrete_fields]
    id, user, ended_at = sql.qualified(UserSession, ["id", "user", "ended_at"], using)
    features, ops = connections[using].features, connections[using].ops
    return (
        f"SELECT {', '.join(sql.qualified(UserSession, names, using))}"  # noqa: S608
        f" FROM {sql.table(UserSession, using)}"
        f" WHERE {user} = %s AND {ended_at} IS NULL ORDER BY {id}"
        f" {ops.for_update_sql() if features.has_select_for_update else ''}"
    )
