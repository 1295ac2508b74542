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
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from session_limit.conf import conf
from session_limit.models import DatabaseNow, Play, UserSession, registry_alias
from session_limit.registry.transactions import is_retryable, one_statement
from session_limit.utils import sql
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

    The session's row must record the digest ``credentials`` of the authentication hash
    in the session's data, or none. ``stored`` is set if the renewal also requires that
    the session is still stored with the same data.
    """

    play: UUID
    session: UUID
    credentials: str
    stored: Stored | None


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
    text, values = _update(using, conf.play_lease)
    text = f"{text} AND {_is_play_of_session(using)}"
    values = [*values, *_play_of_session(using, id, session_id)]
    return _execute(using, text, values) > 0


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
    now = utc_now()
    # The column of Django's sessions is in the zone in which Django stores times.
    stored_now = connection.ops.adapt_datetimefield_value(timezone.now())
    text, parameters = _update(using, conf.play_lease)
    values, conditions = [*parameters], []
    for play, session, credentials, stored in renewals:
        condition = f"({_is_play_of_session(using)} AND {_is_session_live(using)}"
        live = {"id": session, "expires_at": now, "credentials": credentials}
        values += _play_of_session(using, play, session)
        values += sql.prepared(UserSession, live, using)
        if stored is not None:
            condition += f" AND {_is_session_stored(using, stored.model)}"
            values += [stored.key, stored_now, stored.digest]
        conditions.append(f"{condition})")
    text = f"{text} AND ({' OR '.join(conditions)})"
    # Others must not wait because one playback is locked.
    if connection.vendor == "postgresql":
        text += f" AND {_unlocked(using)}".format(sql.placeholders(len(renewals)))
        for each in renewals:
            values += sql.prepared(Play, {"id": each.play}, using)
        if _sends_two_statements(connection):
            # A renewal that a crash of the server undoes is repeated in time, so do not
            # wait for the disk. The two statements of one message are a transaction.
            text = f"SET LOCAL synchronous_commit = off; {text}"
    elif connection.vendor == "mysql" and cast("Any", connection).mysql_is_mariadb:
        text = f"SET STATEMENT innodb_lock_wait_timeout = 0 FOR {text}"
    try:
        return _execute(using, text, values) == len(renewals)
    except OperationalError as error:
        if not is_retryable(error):
            raise
        return False


def _execute(using: str, text: str, values: list[Any]) -> int:
    with connections[using].cursor() as cursor:
        cursor.execute(text, values)
        if text.startswith("SET LOCAL") and _is_psycopg(connections[using]):
            # psycopg returns the result of each statement, psycopg2 only the last.
            cursor.nextset()
        return cast("int", cursor.rowcount)


def _is_psycopg(connection: Any) -> bool:
    return bool(connection.Database.__name__ == "psycopg")


def _sends_two_statements(connection: BaseDatabaseWrapper) -> bool:
    # With server-side binding, a message of two statements takes no parameters.
    binds_on_server = connection.settings_dict["OPTIONS"].get("server_side_binding")
    return connection.get_autocommit() and not binds_on_server


def _play_of_session(using: str, play: UUID, session: UUID) -> list[Any]:
    """Return the parameters of ``_is_play_of_session()``."""
    return sql.prepared(Play, {"id": play, "session": session}, using)


def _compiled(using: str, expression: Any) -> tuple[str, list[Any]]:
    """Return the SQL of an expression without columns, and its parameters."""
    query = Play.objects.using(using).query
    text, parameters = query.get_compiler(using).compile(
        expression.resolve_expression(query)
    )
    return text, list(parameters)


# Table and column names in the SQL below come from the models.


@functools.lru_cache(maxsize=8)
def _update(using: str, lease: timedelta) -> tuple[str, list[Any]]:
    now, _ = _compiled(using, DatabaseNow())
    until, parameters = _compiled(using, DatabaseNow() + lease)
    ended_at, lease_until = sql.columns(Play, ("ended_at", "lease_until"), using)
    text = (
        f"UPDATE {sql.table(Play, using)} SET {lease_until} = {until}"  # noqa: S608
        f" WHERE {ended_at} IS NULL AND {lease_until} > {now}"
    )
    return text, parameters


@functools.cache
def _is_play_of_session(using: str) -> str:
    id, session = sql.columns(Play, ("id", "session"), using)
    return f"{id} = %s AND {session} = %s"


@functools.cache
def _is_session_live(using: str) -> str:
    names = ("id", "ended_at", "expires_at", "credentials")
    id, ended_at, expires_at, credentials = sql.columns(UserSession, names, using)
    table = sql.table(UserSession, using)
    return (
        f"EXISTS (SELECT 1 FROM {table} WHERE {id} = %s"  # noqa: S608
        f" AND {ended_at} IS NULL AND {expires_at} > %s AND {credentials} IN ('', %s))"
    )


@functools.cache
def _is_session_stored(using: str, model: type[AbstractBaseSession]) -> str:
    names = ("session_key", "expire_date", "session_data")
    key, expires, data = sql.columns(model, names, using)
    table = sql.table(model, using)
    digest = _DIGEST[connections[using].vendor].format(data)
    return (
        f"EXISTS (SELECT 1 FROM {table} WHERE {key} = %s"  # noqa: S608
        f" AND {expires} > %s AND {digest} = %s)"
    )


@functools.cache
def _unlocked(using: str) -> str:
    [id], table = sql.columns(Play, ["id"], using), sql.table(Play, using)
    return (
        f"{id} IN (SELECT {id} FROM {table} WHERE {id} IN ({{}})"  # noqa: S608
        " FOR NO KEY UPDATE SKIP LOCKED)"
    )
