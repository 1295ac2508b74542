"""Run database writes in transactions, and repeat them after a conflict."""

from __future__ import annotations

import functools
import inspect
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from session_limit.models import registry_alias
from session_limit.utils.missing_tables import explains_missing_tables

T = TypeVar("T")
P = ParamSpec("P")

# The maximum number of times to run a transaction. On three Galera nodes, 24
# simultaneous sign-ins of one account conflict up to nine times.
ATTEMPTS = 10
# The bounds of the random pause between two attempts, in seconds. It is random so that
# two transactions that conflicted do not conflict again.
PAUSE = (0.002, 0.030)
# The time in seconds after which no further attempt begins. If the database ends a wait
# for a lock only after many seconds, the transaction does not wait again.
PATIENCE = 2.5

# PostgreSQL's SQLSTATEs for a serialization failure, a deadlock, and a lock or a
# statement that took longer than lock_timeout or statement_timeout.
_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57014"})
# Error numbers of MySQL and MariaDB for a deadlock (Galera reports a conflict at COMMIT
# with the same number), a row that changed since the snapshot, a lock or a statement
# that took too long, and a conflict at COMMIT in a replication group.
_ERROR_NUMBERS = frozenset({1213, 1020, 1205, 1969, 3101})
_SQLITE_MESSAGES = frozenset({"database is locked", "database table is locked"})

# An expression that makes the current transaction of PostgreSQL durable. The stronger
# value remote_apply is not listed, because it waits for more than "on" does.
MAKE_DURABLE = (
    "CASE WHEN current_setting('synchronous_commit', true)"
    " IN ('off', 'local', 'remote_write')"
    " THEN set_config('synchronous_commit', 'on', true) END"
)

_reads_only: ContextVar[bool] = ContextVar("session_limit_reads_only", default=False)


class MustLock(Exception):
    """The error raised within ``reads_only()`` instead of locking database rows."""


@contextmanager
def reads_only() -> Iterator[None]:
    """
    Forbid the registry from locking database rows while the context is active.

    An operation that would lock rows raises ``MustLock`` instead. The caller must
    repeat the operation in a thread that may wait. Threads that serve many clients use
    this context, because the lock of one account must not delay the other clients.
    """
    token = _reads_only.set(True)
    try:
        yield
    finally:
        _reads_only.reset(token)


def is_retryable(error: BaseException | None) -> bool:
    """Return whether ``error`` is a conflict or timeout that a retry may resolve."""
    if isinstance(error, UpdateError):
        # Django's db session engine raises UpdateError for every error of the database.
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


@explains_missing_tables
def retry_conflicts(work: Callable[[], T]) -> T:
    """
    Call ``work`` until the database reports no conflict, and return the result.

    ``work`` is called at most ``ATTEMPTS`` times, and not after ``PATIENCE`` seconds.
    If the caller has a transaction open, ``work`` is called only once, since the whole
    transaction would have to be repeated. Raises the error of the last call.
    """
    connection = connections[registry_alias()]
    # get_autocommit() would connect, but sessions in a cache need no database.
    if connection.connection is not None and not connection.autocommit:
        return work()
    give_up_at = time.monotonic() + PATIENCE
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except (OperationalError, UpdateError) as error:
            if not is_retryable(error) or time.monotonic() > give_up_at:
                raise
        time.sleep(random.uniform(*PAUSE))  # noqa: S311  not a secret
    return work()


def _writable_alias() -> str:
    """Return the database alias for writes. Raise ``MustLock`` in ``reads_only()``."""
    if _reads_only.get():
        raise MustLock
    return registry_alias()


def transactional(function: Callable[Concatenate[str, P], T]) -> Callable[P, T]:
    """
    Decorate a function so that it runs in a transaction, repeated after conflicts.

    The function receives the database alias as its first argument, ``using``, which its
    callers do not pass. It must not depend on changes that an earlier run made to its
    arguments.

    If the caller has a transaction open (``ATOMIC_REQUESTS``, ``atomic()``,
    ``set_autocommit(False)``), the function runs only once, in a savepoint, at that
    transaction's isolation level.
    """
    return _in_transaction(function, make_durable)


def locking(function: Callable[Concatenate[str, P], T]) -> Callable[P, T]:
    """
    Decorate a function like ``transactional()`` that calls ``lock_account()`` first.

    The statement that locks the account then also makes the transaction durable. If the
    function locks no account, it must call ``make_durable()``.
    """
    return _in_transaction(function, lambda using: None)


def _in_transaction(
    function: Callable[Concatenate[str, P], T], begin: Callable[[str], None]
) -> Callable[P, T]:
    """Decorate a function like ``transactional()``, and call ``begin`` before it."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        using = _writable_alias()

        def attempt() -> T:
            with _begun(connections[using]):
                begin(using)
                return function(using, *args, **kwargs)

        return retry_conflicts(attempt)

    return _without_alias(call)


def one_statement(function: Callable[Concatenate[str, P], T]) -> Callable[P, T]:
    """
    Decorate a function so that its single SQL statement is repeated after conflicts.

    The function receives the database alias as with ``transactional()``, but does not
    run in a transaction.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        using = _writable_alias()
        return retry_conflicts(lambda: function(using, *args, **kwargs))

    return _without_alias(call)


def _without_alias(call: Callable[P, T]) -> Callable[P, T]:
    """Hide the ``using`` argument of ``call`` from ``help()``, and return ``call``."""
    signature = inspect.signature(call)
    _, *parameters = signature.parameters.values()
    vars(call)["__signature__"] = signature.replace(parameters=parameters)
    return call


@contextmanager
def _begun(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """
    Open a transaction at the isolation level READ COMMITTED.

    Each statement then sees what has been committed, so no decision rests on data that
    was read before a lock was granted. If the caller has a transaction open, open a
    savepoint in it.
    """
    is_ours = connection.get_autocommit()
    with (
        _beginning_at_read_committed(connection) if is_ours else nullcontext(),
        transaction.atomic(using=connection.alias),
    ):
        if is_ours and _may_begin_at_another_level(connection):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        yield


@contextmanager
def _beginning_at_read_committed(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Make the driver of PostgreSQL begin transactions at READ COMMITTED."""
    # The driver then sends the level with BEGIN. The level of the server is not known
    # without asking: a role or a database may have its own, and a pooler such as
    # PgBouncer may pass each transaction to another server process.
    if connection.vendor != "postgresql":
        yield
        return
    driver: Any = connection.connection
    levels = type(cast("Any", connection).isolation_level)
    former = driver.isolation_level
    driver.isolation_level = levels.READ_COMMITTED
    try:
        yield
    finally:
        if connection.connection is driver and not driver.closed:
            driver.isolation_level = former


def _may_begin_at_another_level(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a transaction of MySQL or MariaDB may not be READ COMMITTED."""
    if connection.vendor != "mysql":
        return False
    # Django sets this level when it connects, whatever the server's own level is.
    level: str | None = cast("Any", connection).isolation_level
    return level != "read committed"


def must_make_durable(using: str) -> bool:
    """
    Return whether to evaluate ``MAKE_DURABLE`` in the current transaction.

    With ``synchronous_commit``, a commit survives a crash of PostgreSQL and a failover
    to a synchronous standby. The answer is no in a transaction that the caller manages
    and if the project's database ``OPTIONS`` set ``synchronous_commit``.
    """
    connection = connections[using]
    is_ours = connection.in_atomic_block and not connection.savepoint_ids
    if connection.vendor != "postgresql" or not is_ours:
        return False
    options = connection.settings_dict["OPTIONS"].get("options") or ""
    return "synchronous_commit" not in options


def make_durable(using: str) -> None:
    """Make the current transaction durable, if it is ours."""
    if must_make_durable(using):
        with connections[using].cursor() as cursor:
            cursor.execute(f"SELECT {MAKE_DURABLE}")
