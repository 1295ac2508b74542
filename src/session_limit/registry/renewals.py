"""
Renew playbacks of limited content with one fast SQL statement.

Every player sends a renewal several times a minute. This module builds the statement
from the models' metadata, because the ORM takes several times as long.
"""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import OperationalError, connections, models
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
    sql, parameters = _renewal(using, conf.play_lease)
    return _execute(using, sql, [*parameters, *_ids(using, id, session_id)])


def renew_play_if_live(id: UUID, session_id: UUID, stored: Stored | None) -> bool:
    """
    Renew a playback if its session is live, and return whether it was renewed.

    The same statement checks that the session has neither ended nor expired. If
    ``stored`` is given, the statement also checks that the session is still stored with
    the same data. The result is also ``False`` if another transaction has locked the
    playback, or if the session's expiry is due but may have been postponed. The caller
    then has to decide in another way.

    Do not call this function in a transaction.
    """
    using = registry_alias()
    adapt = connections[using].ops.adapt_datetimefield_value
    sql, parameters = _renewal(using, conf.play_lease)
    session = UserSession._meta.pk.get_db_prep_value(session_id, connections[using])
    values = [*parameters, *_ids(using, id, session_id), session, _utc(using)]
    condition = _session_is_live(using)
    if stored is not None:
        condition += _session_is_stored(using, stored.model)
        # The column of Django's sessions is in the zone in which Django stores times.
        values += [stored.key, adapt(timezone.now()), stored.digest]
    begin, end = _without_waiting(using)
    if end:
        values += _ids(using, id)
    try:
        return _execute(using, f"{begin}{sql}{condition}{end}", values)
    except OperationalError as error:
        if not is_retryable(error):
            raise
        return False


def _execute(using: str, sql: str, parameters: list[Any]) -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, parameters)
        return bool(cursor.rowcount > 0)


def _ids(using: str, *ids: UUID) -> list[Any]:
    # All of these columns have the same type.
    prepare = functools.partial(Play._meta.pk.get_db_prep_value, prepared=False)
    return [prepare(id, connections[using]) for id in ids]


def _utc(using: str) -> Any:
    field = UserSession._meta.get_field("expires_at")
    return field.get_db_prep_value(utc_now(), connections[using], prepared=False)


def _column(using: str, model: type[models.Model], name: str) -> str:
    column: Any = model._meta.get_field(name)
    return connections[using].ops.quote_name(column.column)


def _table(using: str, model: type[models.Model]) -> str:
    return connections[using].ops.quote_name(model._meta.db_table)


def _compiled(using: str, expression: Any) -> tuple[str, list[Any]]:
    """Return the SQL of an expression without columns, and its parameters."""
    query = Play.objects.using(using).query
    sql, parameters = query.get_compiler(using).compile(
        expression.resolve_expression(query)
    )
    return sql, list(parameters)


# Table and column names in the statements below come from the models.


@functools.lru_cache(maxsize=8)
def _renewal(using: str, lease: timedelta) -> tuple[str, list[Any]]:
    now, _ = _compiled(using, DatabaseNow())
    until, parameters = _compiled(using, DatabaseNow() + lease)
    id, session, ended_at, lease_until = (
        _column(using, Play, name)
        for name in ("id", "session", "ended_at", "lease_until")
    )
    sql = (
        f"UPDATE {_table(using, Play)} SET {lease_until} = {until}"  # noqa: S608
        f" WHERE {id} = %s AND {session} = %s"
        f" AND {ended_at} IS NULL AND {lease_until} > {now}"
    )
    return sql, parameters


@functools.cache
def _session_is_live(using: str) -> str:
    id, ended_at, expires_at = (
        _column(using, UserSession, name) for name in ("id", "ended_at", "expires_at")
    )
    return (
        f" AND EXISTS (SELECT 1 FROM {_table(using, UserSession)}"  # noqa: S608
        f" WHERE {id} = %s AND {ended_at} IS NULL AND {expires_at} > %s)"
    )


@functools.cache
def _session_is_stored(using: str, model: type[AbstractBaseSession]) -> str:
    key, expires, data = (
        _column(using, model, name)
        for name in ("session_key", "expire_date", "session_data")
    )
    digest = _DIGEST[connections[using].vendor].format(data)
    return (
        f" AND EXISTS (SELECT 1 FROM {_table(using, model)}"  # noqa: S608
        f" WHERE {key} = %s AND {expires} > %s AND {digest} = %s)"
    )


@functools.cache
def _without_waiting(using: str) -> tuple[str, str]:
    """Return SQL for the begin and the end of an UPDATE that must wait for no lock."""
    connection: Any = connections[using]
    if connection.vendor == "postgresql":
        id = _column(using, Play, "id")
        return "", (
            f" AND {id} IN (SELECT {id} FROM {_table(using, Play)}"  # noqa: S608
            f" WHERE {id} = %s FOR NO KEY UPDATE SKIP LOCKED)"
        )
    if connection.vendor == "mysql" and connection.mysql_is_mariadb:
        return "SET STATEMENT innodb_lock_wait_timeout = 0 FOR ", ""
    return "", ""
