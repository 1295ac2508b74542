"""One account at a time: its lock, the transaction around it, and trying again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import OperationalError, connections, transaction
from django.db.models import F
from django.utils import timezone

from session_limit.models import AccountLimit, UserSession, UserSessionQuerySet
from session_limit.verify import registry_alias

T = TypeVar("T")

ATTEMPTS = 3

# PostgreSQL's SQLSTATEs for a serialization failure and a deadlock, MySQL's and
# MariaDB's error number for a deadlock (and for a row changed under a snapshot).
_SQLSTATES = frozenset({"40001", "40P01"})
_ERROR_NUMBERS = frozenset({1213, 1020})


_reads_only: ContextVar[bool] = ContextVar("session_limit_reads_only", default=False)


class MustLock(Exception):
    """Raised inside ``reads_only()`` by an operation that would lock rows."""


@contextmanager
def reads_only() -> Iterator[None]:
    """
    Make every operation of the registry that would lock rows raise ``MustLock``.

    For threads that serve many clients: the lock of one account must not delay the
    others. The caller repeats the operation where waiting is acceptable.
    """
    token = _reads_only.set(True)
    try:
        yield
    finally:
        _reads_only.reset(token)


def is_retryable(error: BaseException) -> bool:
    """Whether the database gave up on a transaction that may succeed if repeated."""
    cause = error.__cause__
    if not isinstance(error, OperationalError) or cause is None:
        return False
    return getattr(cause, "sqlstate", None) in _SQLSTATES or (
        bool(cause.args) and cause.args[0] in _ERROR_NUMBERS
    )


@contextmanager
def _transaction(using: str) -> Iterator[None]:
    connection = connections[using]
    ours = not connection.in_atomic_block
    with transaction.atomic(using=using):
        # What was read before the lock was granted must not be what is decided on:
        # in a transaction of our own, each statement sees what has committed.
        if ours and connection.vendor in {"postgresql", "mysql"}:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        yield


def in_transaction(work: Callable[[str], T]) -> T:
    """
    Return ``work(alias)``, run in a transaction on the registry's database. Repeated
    after a deadlock or a serialization failure, where the transaction is our own.
    """
    if _reads_only.get():
        raise MustLock
    using = registry_alias()
    attempts = 1 if connections[using].in_atomic_block else ATTEMPTS
    while True:
        try:
            with _transaction(using):
                return work(using)
        except OperationalError as error:
            attempts -= 1
            if not attempts or not is_retryable(error):
                raise


def lock_account(user_id: Any, using: str, **changes: Any) -> AccountLimit:
    """
    Lock the account of the user with this primary key until the transaction ends,
    writing ``changes`` to its row, and return it.

    By writing: alike on every database, where ``SELECT ... FOR UPDATE`` is nothing
    on SQLite, and a transaction there that begins by reading may fail to become a
    writer. One statement creates the row or locks it, and reads it where there is
    ``RETURNING`` (not on MySQL).
    """
    changes["locked_at"] = timezone.now()
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
    Lock ``rows`` until the transaction ends, and return them.

    A plain read could return a key that a rotation under way is about to replace. The
    rows are locked in the order of their ids, so that two callers cannot deadlock.
    ``skip_locked`` leaves out the rows that somebody else has locked instead of
    waiting for them, if the database can.
    """
    features = connections[rows.db].features
    if not features.has_select_for_update:
        # SQLite locks everything, once the transaction has written.
        rows.update(scope=F("scope"))
        return list(rows.order_by("pk"))
    skip_locked = skip_locked and features.has_select_for_update_skip_locked
    return list(rows.select_for_update(skip_locked=skip_locked).order_by("pk"))


def live_rows(user: AbstractBaseUser, using: str) -> list[UserSession]:
    """Return the live sessions of ``user``, whose account is locked, locked."""
    rows = UserSession.objects.using(using).live().for_user(user)
    return list(rows.select_for_update().order_by("pk"))
