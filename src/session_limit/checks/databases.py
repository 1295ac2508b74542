"""System checks of the package's database settings and database server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import (
    DatabaseError,
    OperationalError,
    ProgrammingError,
    connections,
    models,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

from session_limit.checks.classes import alias_of_registry
from session_limit.models import (
    AccountLimit,
    PendingSignIn,
    Play,
    UserSession,
)

# The driver options that limit each wait for the server, and the id of the check.
_BOUNDS = {
    "postgresql": (
        ("connect_timeout", "keepalives_idle", "tcp_user_timeout"),
        "session_limit.W304",
    ),
    "mysql": (("connect_timeout", "read_timeout"), "session_limit.W305"),
}
# The error number with which MySQL and MariaDB refuse to compare two columns.
_ILLEGAL_MIX_OF_COLLATIONS = 1267
# Options that name a file, which the check does not read. The file may set the others.
_ELSEWHERE = {"service", "read_default_file", "option_files"}


def check_databases(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Warn about database settings that cause simultaneous sign-ins to fail."""
    alias = alias_of_registry()
    if alias not in connections:
        return  # check_routers() reports it
    connection = connections[alias]
    if not connection.settings_dict["ATOMIC_REQUESTS"]:
        return  # the package then begins transactions that suit it
    mode = connection.settings_dict["OPTIONS"].get("transaction_mode") or "DEFERRED"
    if connection.vendor == "sqlite" and mode.upper() == "DEFERRED":
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


def _repeats_reads(connection: BaseDatabaseWrapper) -> bool:
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "mysql":
        # Django's default is READ COMMITTED. None selects the server's default, which
        # is REPEATABLE READ.
        level = options.get("isolation_level", "read committed") or "repeatable read"
        return level.lower() in {"repeatable read", "serializable"}
    if connection.vendor == "postgresql" and "isolation_level" in options:
        # psycopg and psycopg2 number the levels differently. Django has the right ones.
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
    Warn if the database server's configuration may let ended sessions authenticate.

    ``databases`` lists the aliases of the databases that a check may connect to. Django
    passes the aliases in the commands ``migrate`` and ``check --database``. The check
    does nothing if the package's database is not in ``databases`` or does not answer.
    """
    alias = alias_of_registry()
    if databases is None or alias not in databases or alias not in connections:
        return
    try:
        yield from _check_server(alias)
    except (DatabaseError, ImproperlyConfigured):
        return  # the database does not answer, or DATABASES is not complete


def _check_server(alias: str) -> Iterator[checks.CheckMessage]:
    connection = connections[alias]
    if connection.vendor == "mysql" and _may_read_late(connection):
        yield checks.Warning(
            f'Database "{alias}" is a Galera cluster on which reads do not wait for '
            "the writes of other nodes. A node that lags behind authenticates sessions "
            "that have ended.",
            hint='Set OPTIONS["init_command"] to "SET SESSION wsrep_sync_wait=1".',
            id="session_limit.W307",
        )
    if connection.vendor == "mysql":
        yield from _check_comparisons(connection)
    if connection.vendor == "postgresql":
        [(durability,)] = _fetch(connection, "SHOW synchronous_commit")
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


def _check_comparisons(
    connection: BaseDatabaseWrapper,
) -> Iterator[checks.CheckMessage]:
    """Warn about foreign keys that the database cannot compare with their targets."""
    quote = cast("Callable[[str | None], str]", connection.ops.quote_name)
    for model in (AccountLimit, PendingSignIn, Play, UserSession):
        for field in model._meta.concrete_fields:
            if not isinstance(field, models.ForeignKey):
                continue
            target = field.target_field
            own, other = model._meta.db_table, target.model._meta.db_table
            # The server refuses the statement before it reads any row.
            statement = (
                f"SELECT 1 FROM {quote(own)} a JOIN {quote(other)} b"  # noqa: S608
                f" ON a.{quote(field.column)} = b.{quote(target.column)} LIMIT 0"
            )
            try:
                _fetch(connection, statement)
            except ProgrammingError:
                continue  # the tables do not exist yet
            except OperationalError as error:
                if error.args[0] != _ILLEGAL_MIX_OF_COLLATIONS:
                    raise
                yield checks.Warning(
                    f'Database "{connection.alias}" cannot compare "{field.column}" '
                    f'of the table "{own}" with "{target.column}" of the table '
                    f'"{other}": {error.args[1]}.',
                    hint=f"Convert {own} to the character set and the collation of "
                    f"{other}: ALTER TABLE {own} CONVERT TO CHARACTER SET ... "
                    "COLLATE ...;",
                    id="session_limit.W309",
                )


def _may_read_late(connection: BaseDatabaseWrapper) -> bool:
    # Without Galera, "SELECT @@wsrep_on" would be an error.
    query = "SHOW VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_sync_wait')"
    found = dict(_fetch(connection, query))
    # The lowest bit of wsrep_sync_wait makes reads wait.
    return found.get("wsrep_on") == "ON" and not int(found["wsrep_sync_wait"]) & 1


def _fetch(connection: BaseDatabaseWrapper, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def check_stalls(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """
    Warn if an unresponsive database server could block a thread for minutes.

    Only options of the database driver, set in ``OPTIONS``, can limit the waiting time.
    """
    alias = alias_of_registry()
    if alias not in connections:
        return
    settings, vendor = connections[alias].settings_dict, connections[alias].vendor
    names, id = _BOUNDS.get(vendor, ((), ""))
    options = settings["OPTIONS"]
    absent = [name for name in names if not options.get(name)]
    if absent and not _is_local(settings) and not _ELSEWHERE & options.keys():
        yield checks.Warning(
            f'If a firewall or a server drops a connection to the database "{alias}" '
            "silently, the thread that uses it blocks for minutes or for ever.",
            hint=f"Set {', '.join(absent)} in its OPTIONS. See "
            "docs/how-to/stalled-connections.md.",
            id=id,
        )


def _is_local(settings: dict[str, Any]) -> bool:
    """Return whether the database connection uses a local socket, not a network."""
    return str(settings["HOST"]).startswith("/") or not (
        settings["HOST"] or settings["OPTIONS"].get("host")
    )
