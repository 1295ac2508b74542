"""Lock one account at a time, in a transaction that is repeated after a conflict."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from session_limit.models import registry_alias

T = TypeVar("T")

# On three Galera nodes, 24 sign-ins of one account at once conflict up to nine times.
ATTEMPTS = 10
# Seconds between two attempts, at random: those that met once do not meet again.
PAUSE = (0.002, 0.030)
# Seconds after which no other attempt begins. It also means that a wait for a lock that
# the database itself ended after many seconds is not begun again.
PATIENCE = 2.5

# PostgreSQL's SQLSTATEs: a serialization failure, a deadlock, and a lock or a statement
# that took longer than lock_timeout or statement_timeout.
_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57014"})
# Error numbers of MySQL and MariaDB: a deadlock (Galera also reports a conflict at
# COMMIT by it), a row that changed since the snapshot, a lock or a statement that took
# too long, and a conflict at COMMIT in a replication group.
_ERROR_NUMBERS = frozenset({1213, 1020, 1205, 1969, 3101})
_SQLITE_MESSAGES = frozenset({"database is locked", "database table is locked"})

_READ_COMMITTED = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
# In one round trip with the above. remote_apply, the other value, is stronger than on.
_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', true)"
    " WHERE current_setting('synchronous_commit', true)"
    " IN ('off', 'local', 'remote_write')"
)


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


def is_retryable(error: BaseException | None) -> bool:
    """
    Return whether the database gave up on a transaction that may succeed if it is
    repeated: because of a conflict with another, or because it had waited too long.
    """
    if isinstance(error, UpdateError):
        # Django's db engine raises it for every error of the database.
        error = error.__context__
    cause = error.__cause__ if isinstance(error, OperationalError) else None
    if cause is None:
        return False
    said = cause.args[0] if cause.args else None
    return (
        getattr(cause, "sqlstate", None) in _SQLSTATES
        or said in _ERROR_NUMBERS
        or said in _SQLITE_MESSAGES
    )


def retry_conflicts(work: Callable[[], T]) -> T:
    """
    Return ``work()``. Call it again, after a short pause, if the database gave up on
    it: ``ATTEMPTS`` times at most, and not after ``PATIENCE`` seconds. If the caller
    has a transaction open, call it once, because all of that would have to be repeated.
    """
    connection = connections[registry_alias()]
    # Not get_autocommit(), which connects: a session in a cache needs no database.
    if connection.connection is not None and not connection.autocommit:
        return work()
    give_up_at = time.monotonic() + PATIENCE
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except (OperationalError, UpdateError) as error:
            if not is_retryable(error) or time.monotonic() > give_up_at:
                raise
        time.sleep(random.uniform(*PAUSE))  # noqa: S311  a pause, and no secret
    return work()


def _writable_alias() -> str:
    """
    Return the alias that writes the registry. Raises ``MustLock`` inside
    ``reads_only()``.
    """
    if _reads_only.get():
        raise MustLock
    return registry_alias()


def in_one_statement(write: Callable[[str], T]) -> T:
    """
    Return ``write(alias)``, which makes one statement. Repeat it like a transaction of
    our own: see ``in_transaction()``.
    """
    return retry_conflicts(functools.partial(write, _writable_alias()))


def in_transaction(work: Callable[[str], T]) -> T:
    """
    Return ``work(alias)``, run in a transaction on the registry's database.

    A transaction of our own is repeated if the database gives up on it. If the caller
    has one open (``ATOMIC_REQUESTS``, ``atomic()``, ``set_autocommit(False)``), the
    work runs in a savepoint of it, at its isolation level, and is not repeated.
    """
    using = _writable_alias()
    connection = connections[using]

    def attempt() -> T:
        is_ours = connection.get_autocommit()
        with transaction.atomic(using=using):
            if is_ours:
                _begin(connection)
            return work(using)

    return retry_conflicts(attempt)


def _begin(connection: BaseDatabaseWrapper) -> None:
    """
    Begin a transaction of our own. Each statement sees what has committed, so that
    no decision rests on what was read before a lock was granted. What is acknowledged
    survives a crash of PostgreSQL, and a failover to a synchronous standby.
    """
    if connection.vendor not in {"postgresql", "mysql"}:
        return
    statement = _READ_COMMITTED
    if connection.vendor == "postgresql" and not _chooses_durability(connection):
        statement = f"{statement}; {_DURABLE}"
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _chooses_durability(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the project's own ``OPTIONS`` set ``synchronous_commit``."""
    options = connection.settings_dict["OPTIONS"].get("options") or ""
    return "synchronous_commit" in options
