"""Attempt database writes that are skipped if they fail or wait long for a lock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import RawSQL

from session_limit.models import UserSession, UserSessionQuerySet, registry_alias

T = TypeVar("T")

logger = logging.getLogger("session_limit")

NO_TIME = timedelta()

# PostgreSQL's SQLSTATE for lock_timeout, and the error number of MariaDB and MySQL for
# innodb_lock_wait_timeout and lock_wait_timeout.
_LOCK_NOT_AVAILABLE = "55P03"
_LOCK_WAIT_TIMEOUT = 1205


class BestEffort:
    """
    Attempts one kind of database write that may be skipped.

    ``what`` names the write in the log, for example "Recording activity". ``patience``
    is how long a write waits for a lock. By default, a write does not wait. The first
    failure is logged, and later failures are only counted. The next successful write
    logs the number of skipped writes.
    """

    def __init__(self, what: str, *, patience: timedelta = NO_TIME) -> None:
        self.what = what
        self._milliseconds = patience // timedelta(milliseconds=1)
        self._skipped = 0
        self._counting = threading.Lock()

    def attempt(self, write: Callable[[], T]) -> T | None:
        """
        Return the result of ``write()``, or ``None`` if the database refuses the write.

        ``write`` is called once, in a transaction. If the caller has a transaction
        open, that transaction can continue after a refused write. An error is raised
        only if it rolled back the caller's transaction, as a deadlock does on MySQL.
        """
        connection = connections[registry_alias()]

        def atomically() -> T:
            # In a transaction that is already open, transactional() repeats nothing.
            if connection.in_atomic_block:
                return write()
            with transaction.atomic(using=connection.alias):
                return write()

        return self._guarded(atomically, _waits_at_most)

    def update(self, id: UUID, rows: UserSessionQuerySet, **changes: Any) -> int:
        """
        Save ``changes`` to a session's row, and return the number of changed rows.

        ``id`` is the session's id. The queryset ``rows`` must select no other row. The
        result is 0 if ``rows`` is empty or the write is skipped.
        """
        if connections[rows.db].vendor == "postgresql":
            # Parallel requests often find the row locked. Unlike a failed wait,
            # skipping the row writes no error to the server's log.
            rows = rows.filter(pk__in=RawSQL(_UNLOCKED, [id]))  # noqa: S611  no input in it
        return self._guarded(lambda: rows.update(**changes), _waits_once_at_most) or 0

    def _guarded(
        self,
        write: Callable[[], T],
        waits: Callable[[BaseDatabaseWrapper, int], AbstractContextManager[None]],
    ) -> T | None:
        using = registry_alias()
        connection = connections[using]
        was_broken = connection.needs_rollback
        try:
            # Within a transaction, a savepoint keeps a failed write from breaking it.
            savepoint = (
                nullcontext()
                if connection.get_autocommit()
                else transaction.atomic(using=using)
            )
            with savepoint, waits(connection, self._milliseconds):
                result = write()
        except Error as error:
            if connection.needs_rollback and not was_broken:
                raise
            if not _is_locked(error):
                self._count(error)
            return None
        if self._skipped:
            self._report()
        return result

    def _count(self, error: Error) -> None:
        with self._counting:
            self._skipped += 1
            is_first = self._skipped == 1
        if is_first:
            logger.warning(
                "%s failed and was skipped: %s. Requests are answered without it. Is "
                "the database read-only, full, locked or unreachable? Further failures "
                "are counted and not logged.",
                self.what,
                error,
            )

    def _report(self) -> None:
        with self._counting:
            skipped, self._skipped = self._skipped, 0
        if skipped:
            logger.warning(
                "%s works again; %d writes were skipped.", self.what, skipped
            )


# The only value in this SQL is the name of the model's table.
_UNLOCKED = (
    f'SELECT id FROM "{UserSession._meta.db_table}" WHERE id = %s'  # noqa: S608
    " FOR NO KEY UPDATE SKIP LOCKED"
)


def _is_locked(error: Error) -> bool:
    """Return whether a write failed only because another transaction holds a lock."""
    # SQLite locks its whole file, so a lock error may be a fault there.
    cause = error.__cause__
    # psycopg sets the first attribute, psycopg2 the second.
    states = {getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None)}
    if _LOCK_NOT_AVAILABLE in states:
        return True
    return cause is not None and cause.args[:1] == (_LOCK_WAIT_TIMEOUT,)


def _waits_once_at_most(
    connection: BaseDatabaseWrapper, milliseconds: int
) -> AbstractContextManager[None]:
    """Return a context manager that limits how long one statement waits for a lock."""
    # If possible, the limit needs no second round trip to the database.
    binds_on_server = connection.settings_dict["OPTIONS"].get("server_side_binding")
    if (
        connection.vendor == "postgresql"
        and connection.get_autocommit()
        # With server-side binding, a message of two statements takes no parameters.
        and not binds_on_server
    ):
        return _bounded_once_on_postgresql(connection, milliseconds)
    return _waits_at_most(connection, milliseconds)


def _waits_at_most(
    connection: BaseDatabaseWrapper, milliseconds: int
) -> AbstractContextManager[None]:
    """Return a context manager that limits how long statements wait for a lock."""
    if connection.vendor == "postgresql":
        return _bounded_on_postgresql(connection, milliseconds)
    if connection.vendor == "mysql":
        return _bounded_on_mysql(connection, milliseconds)
    return _bounded_on_sqlite(connection, milliseconds)


@contextmanager
def _bounded_on_sqlite(
    connection: BaseDatabaseWrapper, milliseconds: int
) -> Iterator[None]:
    # Neither statement reads the database file, so they cost microseconds.
    execute = connection.connection.execute
    [usual] = execute("PRAGMA busy_timeout").fetchone()
    execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        execute(f"PRAGMA busy_timeout = {usual}")


def _bounded_once_on_postgresql(
    connection: Any, milliseconds: int
) -> AbstractContextManager[None]:
    def bounded(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        # The statements of one message form a transaction, for which SET LOCAL lasts.
        bound = f"SET LOCAL lock_timeout = {max(milliseconds, 1)}; "
        result = execute(bound + sql, params, many, context)
        if connection.Database.__name__ == "psycopg":
            # psycopg returns the result of each statement, psycopg2 only the last.
            context["cursor"].nextset()
        return result

    wrapper: AbstractContextManager[None] = connection.execute_wrapper(bounded)
    return wrapper


@contextmanager
def _bounded_on_postgresql(
    connection: BaseDatabaseWrapper, milliseconds: int
) -> Iterator[None]:
    # A lock_timeout of 0 would wait without a limit.
    bound = f"{max(milliseconds, 1)}ms"
    is_inner = connection.in_atomic_block
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('lock_timeout'),"
            " set_config('lock_timeout', %s, true)",
            [bound],
        )
        [usual, _] = cursor.fetchone()
        yield
        if is_inner:
            # A rollback to the savepoint restores the setting, a release does not.
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [usual])


@contextmanager
def _bounded_on_mysql(connection: Any, milliseconds: int) -> Iterator[None]:
    seconds = milliseconds // 1000
    if connection.mysql_is_mariadb:
        # lock_wait_timeout limits waits for locks on tables, such as a backup takes.
        prefix = (
            f"SET STATEMENT innodb_lock_wait_timeout={seconds},"
            f" lock_wait_timeout={seconds} FOR "
        )

        def bounded(
            execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
        ) -> Any:
            can = sql.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))
            return execute(prefix + sql if can else sql, params, many, context)

        with connection.execute_wrapper(bounded):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT @@SESSION.innodb_lock_wait_timeout, @@SESSION.lock_wait_timeout"
        )
        usual = cursor.fetchone()
        # MySQL has no shorter timeout than one second.
        _set_waits(cursor, max(seconds, 1), max(seconds, 1))
        try:
            yield
        finally:
            _set_waits(cursor, *usual)


def _set_waits(cursor: Any, innodb: int, tables: int) -> None:
    cursor.execute(
        "SET SESSION innodb_lock_wait_timeout = %s, SESSION lock_wait_timeout = %s",
        [innodb, tables],
    )
