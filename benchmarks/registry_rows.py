"""A registry that has been in use for years, written in a few statements."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from benchmarks.databases import Database, connect

# Of each account: one live session, and the rest ended.
ROWS_PER_ACCOUNT = 10

SESSIONS = "session_limit_usersession"
LIMITS = "session_limit_accountlimit"


def _copies(
    connection: Any, table: str, like: str, source: str, changed: dict[str, str]
) -> None:
    """
    Insert into ``table``, for each row of ``source``, the row that ``like`` finds, with
    the columns ``changed``. Columns that nobody here has heard of are copied.
    """
    # Every name and expression in these statements is written in this module.
    described = connection.execute(f"SELECT * FROM {table} LIMIT 0").description  # noqa: S608
    names = [column.name for column in described]
    values = [changed.get(name, f'model."{name}"') for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    connection.execute(
        f"INSERT INTO {table} ({quoted}) SELECT {', '.join(values)}"  # noqa: S608
        f" FROM (SELECT * FROM {table} WHERE {like} LIMIT 1) model, {source}"
    )


def _key(number: str, kind: str) -> str:
    return f"'{kind}' || lpad(({number})::text, 27, '0')"


def _id(number: str, kind: str) -> str:
    """A UUID from before any that is made now, as those of older rows are."""
    return f"(lpad(to_hex({number}), 12, '0') || '7{kind}8' || lpad('', 16, '0'))::uuid"


def fill(database: Database, accounts: int, *, ours: bool) -> None:
    """
    Add so many accounts, each with a stored session; with ``ours``, also with its rows
    in the registry. Somebody has signed in twice already, so that there is a live row
    and an ended one to copy.
    """
    with closing(connect(database.name)) as connection:
        [first] = connection.execute("SELECT max(id) + 1 FROM auth_user").fetchone()
        last = first + accounts - 1
        each = f"generate_series({first}, {last}) n"
        user = {"id": "n", "username": "'account-' || n"}
        _copies(connection, "auth_user", "true", each, user)
        connection.execute(
            f"SELECT setval(pg_get_serial_sequence('auth_user', 'id'), {last})"
        )
        [has_sessions] = connection.execute(
            "SELECT to_regclass('django_session') IS NOT NULL"
        ).fetchone()
        if has_sessions:
            stored = {"session_key": _key("n", "live0")}
            _copies(connection, "django_session", "true", each, stored)
        if ours:
            _fill_registry(connection, each)
        connection.execute("VACUUM ANALYZE")


def _fill_registry(connection: Any, each: str) -> None:
    live = {
        "id": _id("n", "11"),
        "user_id": "n",
        "session_key": _key("n", "live0"),
        "key_digest": "md5('live' || n)",
    }
    _copies(connection, SESSIONS, "ended_at IS NULL", each, live)
    _copies(connection, LIMITS, "true", each, {"user_id": "n"})
    number = f"(n * {ROWS_PER_ACCOUNT} + m)"
    ended = _ended(number, "n")
    source = f"{each}, generate_series(1, {ROWS_PER_ACCOUNT - 1}) m"
    _copies(connection, SESSIONS, "ended_at IS NOT NULL", source, ended)


def _ended(number: str, user: str) -> dict[str, str]:
    return {
        "id": _id(number, "22" if user == "n" else "33"),
        "user_id": user,
        "key_digest": f"md5('{user}' || {number})",
        "ended_at": "now() - random() * interval '30 days'",
    }


def add_ended(database: Database, user: int, rows: int) -> None:
    """Give an account so many ended sessions."""
    with closing(connect(database.name)) as connection:
        each = f"generate_series(1, {rows}) n"
        ended = _ended("n", str(user))
        _copies(connection, SESSIONS, "ended_at IS NOT NULL", each, ended)
        connection.execute(f"VACUUM ANALYZE {SESSIONS}")
