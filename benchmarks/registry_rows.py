"""Fill a database with rows like those from years of use, by SQL statements."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from benchmarks.servers import connect

# Of these rows, one is a live session and the others are ended sessions.
ROWS_PER_ACCOUNT = 10
SESSIONS = "session_limit_usersession"
LIMITS = "session_limit_accountlimit"


def _copy(
    connection: Any, table: str, where: str, source: str, changed: dict[str, str]
) -> None:
    """
    Insert a copy of one row into ``table`` for each row of the SQL ``source``.

    The copied row is the first that matches ``where``. ``changed`` maps columns to the
    SQL expressions that replace their values.
    """
    pairs = ", ".join(f"'{name}', {value}" for name, value in changed.items())
    # All names and expressions in this statement come from this module.
    connection.execute(
        f"INSERT INTO {table} SELECT made.*"  # noqa: S608
        f" FROM (SELECT r AS row FROM {table} r WHERE {where} LIMIT 1) model, {source},"
        f" LATERAL jsonb_populate_record(model.row, jsonb_build_object({pairs})) made"
    )


def _id(number: str, kind: str) -> str:
    """Return an SQL expression for a UUID that sorts before all UUIDs generated now."""
    return f"(lpad(to_hex({number}), 12, '0') || '7{kind}8' || lpad('', 16, '0'))::uuid"


def _ended(number: str, user: str, kind: str) -> dict[str, str]:
    return {
        "id": _id(number, kind),
        "user_id": user,
        "key_digest": f"md5('{user}' || {number})",
        "ended_at": "now() - random() * interval '30 days'",
    }


def fill(name: str, accounts: int, *, ours: bool) -> None:
    """
    Add accounts, each with a stored session and, if ``ours``, with our rows.

    The database must contain an account that has signed in twice, because its live and
    its ended ``UserSession`` rows are copied.
    """
    key = "'live0' || lpad(n::text, 27, '0')"
    with closing(connect(name)) as connection:
        [first] = connection.execute("SELECT max(id) + 1 FROM auth_user").fetchone()
        last = first + accounts - 1
        each = f"generate_series({first}, {last}) n"
        user = {"id": "n", "username": "'account-' || n"}
        _copy(connection, "auth_user", "true", each, user)
        connection.execute(
            f"SELECT setval(pg_get_serial_sequence('auth_user', 'id'), {last})"
        )
        exists = "SELECT to_regclass('django_session') IS NOT NULL"
        if connection.execute(exists).fetchone()[0]:
            _copy(connection, "django_session", "true", each, {"session_key": key})
        if ours:
            live = {
                "id": _id("n", "11"),
                "user_id": "n",
                "session_key": key,
                "key_digest": "md5('live' || n)",
            }
            _copy(connection, SESSIONS, "ended_at IS NULL", each, live)
            _copy(connection, LIMITS, "true", each, {"user_id": "n"})
            ended = _ended(f"(n * {ROWS_PER_ACCOUNT} + m)", "n", "22")
            source = f"{each}, generate_series(1, {ROWS_PER_ACCOUNT - 1}) m"
            _copy(connection, SESSIONS, "ended_at IS NOT NULL", source, ended)
        connection.execute("VACUUM ANALYZE")


def add_ended(name: str, username: str, rows: int) -> None:
    """Add this number of ended sessions to an account."""
    with closing(connect(name)) as connection:
        find = "SELECT id FROM auth_user WHERE username = %s"
        [user] = connection.execute(find, [username]).fetchone()
        ended = _ended("n", str(user), "33")
        each = f"generate_series(1, {rows}) n"
        _copy(connection, SESSIONS, "ended_at IS NOT NULL", each, ended)
        connection.execute(f"VACUUM ANALYZE {SESSIONS}")
