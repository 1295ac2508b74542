"""
Renew playbacks of limited content with one fast SQL statement.

Every player sends a renewal several times a minute. This module builds the statement
from the models' metadata, because the ORM takes several times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import OperationalError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from session_limit.conf import conf
from session_limit.models import DatabaseNow, Play, UserSession, registry_alias
from session_limit.registry.transactions import is_retryable, one_statement
from session_limit.utils.clock import utc_now


class Stored(NamedTuple):
    """
    A stored session as it was when its data were last decoded.

    ``digest`` is the SHA-256 digest of the encoded data, in hexadecimal.
    """

    model: type[AbstractBaseSession]
    key: str
    digest: str

    def __repr__(self) -> str:
        # Keep the key out of tracebacks.
        return f"<Stored: {self.digest}>"


class Renewal(NamedTuple):
    """
    A playback to renew, and its session.

    ``stored`` is set if the renewal requires that the session is still stored with the
    same data. ``credentials`` is set if it requires that the row records this digest of
    the session's authentication hash, or none.
    """

    play: UUID
    session: UUID
    stored: Stored | None
    credentials: str | None = None


# SQL for the SHA-256 digest of a text column. Django defines the function on SQLite.
_DIGEST = {
    "postgresql": "encode(sha256(convert_to({}, 'UTF8')), 'hex')",
    "mysql": "SHA2({}, 256)",
    "sqlite": "SHA256({})",
}


@one_statement
def renew_play(using: str, id: UUID, session_id: UUID) -> bool:
    """
    Renew a playback, and return whether the playback still counts towards the limit.

    ``id`` is the playback's id, and ``session_id`` is the id of its live session. A
    renewal lasts for ``SESSION_LIMIT_PLAY_LEASE``. A playback that was not renewed in
    time no longer counts. Start such a playback again with ``play()``.
    """
    # This is one indexed UPDATE and does not lock the account.
    sql, parameters = _update(using, conf.play_lease)
    condition = f"{sql} AND {_is_play_of_session(using)}"
    return _execute(using, condition, [*parameters, *_ids(using, id, session_id)]) > 0


def renew_live(renewals: Sequence[Renewal]) -> bool:
    """
    Renew the playbacks whose sessions are live, and return whether all were renewed.

    One statement renews them, and checks that the sessions have neither ended nor
    expired. The result is also ``False`` if another transaction has locked a playback,
    or if a session's expiry is due but may have been postponed. The caller then has to
    decide in another way, for each playback.

    Do not call this function in a transaction.
    """
    using = registry_alias()
    connection = connections[using]
    now = _utc(using)
    # The column of Django's sessions is in the zone in which Django stores times.
    stored_now = connection.ops.adapt_datetimefield_value(timezone.now())
    sql, values = _update(using, conf.play_lease)
    values, conditions = [*values], []
    for play, session, stored, credentials in renewals:
        is_live = _is_session_live(using, has_credentials=credentials is not None)
        condition = f"({_is_play_of_session(using)} AND {is_live}"
        values += [*_ids(using, play, session, session), now]
        if credentials is not None:
            values.append(credentials)
        if stored is not None:
            condition += f" AND {_is_session_stored(using, stored.model)}"
            values += [stored.key, stored_now, stored.digest]
        conditions.append(f"{condition})")
    sql = f"{sql} AND ({' OR '.join(conditions)})"
    # Others must not wait because one playback is locked.
    if connection.vendor == "postgresql":
        places = ", ".join(["%s"] * len(renewals))
        sql += f" AND {_unlocked(using)}".format(places)
        values += _ids(using, *(each.play for each in renewals))
        if _sends_two_statements(connection):
            # A renewal that a crash of the server undoes is repeated in time, so do not
            # wait for the disk. The two statements of one message are a transaction.
            sql = f"SET LOCAL synchronous_commit = off; {sql}"
    elif connection.vendor == "mysql" and cast("Any", connection).mysql_is_mariadb:
        sql = f"SET STATEMENT innodb_lock_wait_timeout = 0 FOR {sql}"
    try:
        return _execute(using, sql, values) == len(renewals)
    except OperationalError as error:
        if not is_retryable(error):
            raise
        return False


def _execute(using: str, sql: str, parameters: list[Any]) -> int:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, parameters)
        if sql.startswith("SET LOCAL") and _is_psycopg(connections[using]):
            # psycopg returns the result of each statement, psycopg2 only the last.
            cursor.nextset()
        return cast("int", cursor.rowcount)


def _is_psycopg(connection: Any) -> bool:
    return bool(connection.Database.__name__ == "psycopg")


def _sends_two_statements(connection: BaseDatabaseWrapper) -> bool:
    # With server-side binding, a message of two statements takes no parameters.
    binds_on_server = connection.settings_dict["OPTIONS"].get("server_side_binding")
    return connection.get_autocommit() and not binds_on_server


def _ids(using: str, *ids: UUID) -> list[Any]:
    # The columns of all these ids have the same type.
    prepare = functools.partial(Play._meta.pk.get_db_prep_value, prepared=False)
    return [prepare(id, connections[using]) for id in ids]


def _utc(using: str) -> Any:
    field = UserSession._meta.get_field("expires_at")
    return field.get_db_prep_value(utc_now(), connections[using], prepared=False)


def _quoted(using: str, model: type[models.Model], *names: str) -> list[str]:
    """Return the quoted names of the model's table and of its columns."""
    fields = [cast("Any", model._meta.get_field(name)) for name in names]
    quote = connections[using].ops.quote_name
    return [quote(model._meta.db_table), *(quote(each.column) for each in fields)]


def _compiled(using: str, expression: Any) -> tuple[str, list[Any]]:
    """Return the SQL of an expression without columns, and its parameters."""
    query = Play.objects.using(using).query
    sql, parameters = query.get_compiler(using).compile(
        expression.resolve_expression(query)
    )
    return sql, list(parameters)


# Table and column names in the SQL below come from the models.


@functools.lru_cache(maxsize=8)
def _update(using: str, lease: timedelta) -> tuple[str, list[Any]]:
    now, _ = _compiled(using, DatabaseNow())
    until, parameters = _compiled(using, DatabaseNow() + lease)
    table, ended_at, lease_until = _quoted(using, Play, "ended_at", "lease_until")
    sql = (
        f"UPDATE {table} SET {lease_until} = {until}"  # noqa: S608
        f" WHERE {ended_at} IS NULL AND {lease_until} > {now}"
    )
    return sql, parameters


@functools.cache
def _is_play_of_session(using: str) -> str:
    _, id, session = _quoted(using, Play, "id", "session")
    return f"{id} = %s AND {session} = %s"


@functools.cache
def _is_session_live(using: str, *, has_credentials: bool) -> str:
    names = ("id", "ended_at", "expires_at", "credentials")
    table, id, ended_at, expires_at, credentials = _quoted(using, UserSession, *names)
    is_same = f" AND {credentials} IN ('', %s)" if has_credentials else ""
    return (
        f"EXISTS (SELECT 1 FROM {table} WHERE {id} = %s"  # noqa: S608
        f" AND {ended_at} IS NULL AND {expires_at} > %s{is_same})"
    )


@functools.cache
def _is_session_stored(using: str, model: type[AbstractBaseSession]) -> str:
    names = ("session_key", "expire_date", "session_data")
    table, key, expires, data = _quoted(using, model, *names)
    digest = _DIGEST[connections[using].vendor].format(data)
    return (
        f"EXISTS (SELECT 1 FROM {table} WHERE {key} = %s"  # noqa: S608
        f" AND {expires} > %s AND {digest} = %s)"
    )


@functools.cache
def _unlocked(using: str) -> str:
    table, id = _quoted(using, Play, "id")
    return (
        f"{id} IN (SELECT {id} FROM {table} WHERE {id} IN ({{}})"  # noqa: S608
        " FOR NO KEY UPDATE SKIP LOCKED)"
    )
