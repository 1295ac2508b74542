"""Check the database of the registry: its settings in the project and on the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

from session_limit.models import UserSession


def check_databases(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn about settings with which simultaneous sign-ins fail."""
    alias = router.db_for_write(UserSession)
    connection = connections[alias]
    if not connection.settings_dict["ATOMIC_REQUESTS"]:
        return  # the package then begins its own transactions, as it needs them
    if _begins_deferred(connection):
        yield checks.Warning(
            f'Database "{alias}" is SQLite with ATOMIC_REQUESTS, so simultaneous '
            'sign-ins fail with "database is locked".',
            hint='Set OPTIONS["transaction_mode"] to "IMMEDIATE" to make them queue.',
            id="session_limit.W301",
        )
    if _repeats_reads(connection):
        yield checks.Warning(
            f'Database "{alias}" has ATOMIC_REQUESTS and an isolation level above READ '
            "COMMITTED, so some of several simultaneous sign-ins fail with a 503.",
            hint='Set OPTIONS["isolation_level"] to read committed.',
            id="session_limit.W302",
        )


def _begins_deferred(connection: BaseDatabaseWrapper) -> bool:
    mode = connection.settings_dict["OPTIONS"].get("transaction_mode") or "DEFERRED"
    return connection.vendor == "sqlite" and mode.upper() == "DEFERRED"


def _repeats_reads(connection: BaseDatabaseWrapper) -> bool:
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "mysql":
        # Django's default is READ COMMITTED. None selects the server's default, which
        # is REPEATABLE READ.
        level = options.get("isolation_level", "read committed") or "repeatable read"
        return level.lower() in {"repeatable read", "serializable"}
    if connection.vendor == "postgresql" and "isolation_level" in options:
        # Each driver uses other numbers for the levels. Django has the right ones.
        levels = import_string(
            "django.db.backends.postgresql.psycopg_any.IsolationLevel"
        )
        level = options["isolation_level"]
        return level in {levels.REPEATABLE_READ, levels.SERIALIZABLE}
    return False


def check_servers(
    *, databases: Sequence[str] | None = None, **_kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """
    Warn about server settings with which an ended session may become live again.

    Connects only to ``databases`` that Django allows, as ``migrate`` and ``check
    --database`` do.
    """
    alias = router.db_for_write(UserSession)
    if databases is None or alias not in databases:
        return
    connection = connections[alias]
    if connection.vendor == "mysql" and _may_read_late(connection):
        yield checks.Warning(
            f'Database "{alias}" is a Galera cluster on which reads do not wait for '
            "the writes of other nodes. A node that lags behind authenticates sessions "
            "that have ended.",
            hint='Set OPTIONS["init_command"] to "SET SESSION wsrep_sync_wait=1".',
            id="session_limit.W307",
        )
    if connection.vendor == "postgresql":
        durability = _synchronous_commit(connection)
        if durability in {"off", "local"}:
            yield checks.Warning(
                f'Database "{alias}" commits with synchronous_commit = {durability}. '
                "After a failover"
                f"{' or a crash' if durability == 'off' else ''}, sessions that had "
                "ended may be live again.",
                hint="Set synchronous_commit to on. session_limit does so in its own "
                "transactions, unless OPTIONS set it, but not in those of your views "
                "(ATOMIC_REQUESTS).",
                id="session_limit.W308",
            )


def _may_read_late(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        # Not "SELECT @@wsrep_on", which is an error without Galera.
        cursor.execute(
            "SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_sync_wait')"
        )
        found = dict(cursor.fetchall())
    # The lowest bit is for reads.
    return found.get("wsrep_on") == "ON" and not int(found["wsrep_sync_wait"]) & 1


def _synchronous_commit(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])
