"""
Read ``UserSession`` rows with fast SQL statements.

Every authenticated request runs one of these statements. This module builds them from
the models' metadata, because the same queries cost five times as much through the ORM.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import connections, router
from django.utils import timezone

from session_limit.models import (
    STORED_WITHIN,
    DatabaseNow,
    UserSession,
    UserSessionQuerySet,
    registry_alias,
)
from session_limit.store import engines
from session_limit.store.joined_users import JoinedUser, UserJoin
from session_limit.store.liveness import Row
from session_limit.utils import sql
from session_limit.utils.clock import utc_now
from session_limit.utils.missing_tables import explains_missing_tables

_FIELDS = Row._fields


@functools.cache
def _by_id(using: str, users: UserJoin | None) -> str:
    [id, *others] = sql.qualified(UserSession, _FIELDS, using, "r")
    # Table and column names in these statements come from the models.
    return (
        f"SELECT {', '.join([id, *others, *_columns_of(users)])}"  # noqa: S608
        f" FROM {sql.table(UserSession, using)} r {_join_of(users)} WHERE {id} = %s"
    )


def _columns_of(users: UserJoin | None) -> tuple[str, ...]:
    return users.columns if users is not None else ()


def _join_of(users: UserJoin | None) -> str:
    return users.join if users is not None else ""


@functools.cache
def _beside_stored(
    using: str, model: type[AbstractBaseSession], users: UserJoin | None
) -> str:
    names = ("session_data", "session_key", "expire_date")
    data, key, expires = sql.qualified(model, names, using, "s")
    columns = sql.qualified(UserSession, _FIELDS, using, "r")
    [recorded_key] = sql.qualified(UserSession, ["session_key"], using, "r")
    return (
        f"SELECT {', '.join([data, key, *columns, *_columns_of(users)])}"  # noqa: S608
        f" FROM {sql.table(model, using)} s"
        # Compare each column with the parameter. MySQL and PostgreSQL refuse to compare
        # two columns with different collations, and the tables may differ in age.
        f" LEFT JOIN {sql.table(UserSession, using)} r ON {recorded_key} = %s"
        f" {_join_of(users)} WHERE {key} = %s AND {expires} > %s"
    )


class RowAndUser(NamedTuple):
    """
    A ``UserSession`` row and its user, as one statement has read them.

    ``user`` is ``None`` if the statement has not read the user.
    """

    row: Row
    user: JoinedUser | None


def _row_and_user(
    columns: Sequence[Any], connection: Any, users: UserJoin | None
) -> RowAndUser:
    """Return what a statement has read into these ``columns``."""
    values = sql.converted(UserSession, _FIELDS, columns[: len(_FIELDS)], connection)
    user = JoinedUser(users, columns[len(_FIELDS) :]) if users is not None else None
    return RowAndUser(Row(*values), user)


def read(id: UUID) -> Row | None:
    """Return the ``UserSession`` with this id, live or ended, or ``None`` if absent."""
    found = read_with_user(id, None)
    return None if found is None else found.row


@explains_missing_tables
def read_with_user(id: UUID, users: UserJoin | None) -> RowAndUser | None:
    """Read what ``read()`` reads and, with ``users``, the user of the session."""
    using = registry_alias()
    connection = connections[using]
    parameter = UserSession._meta.pk.get_db_prep_value(id, connection, prepared=False)
    with connection.cursor() as cursor:
        cursor.execute(_by_id(using, users), [parameter])
        values = cursor.fetchone()
    return None if values is None else _row_and_user(values, connection, users)


def live_of(user_id: Any) -> UserSessionQuerySet:
    """
    Return a queryset of the user's live sessions that have not expired.

    ``user_id`` is the user's primary key. An account may have any number of sessions.
    The caller must count the sessions or slice the queryset.
    """
    rows = UserSession.objects.primary().live().filter(user_id=user_id)
    return rows.in_time(utc_now())


@explains_missing_tables
def read_by_digest(key: str) -> Row | None:
    """Return the newest live or ended ``UserSession`` row for a key, or ``None``."""
    rows = UserSession.objects.primary()
    row = rows.filter(key_digest__in=engines.digests(key)).order_by("-pk").first()
    return None if row is None else Row.of(row)


def find_live_by_key(key: str) -> UUID | None:
    """
    Return the id of the live session that has or recently had this session key.

    Return ``None`` if there is no such session. The session engine need not store any
    data under the key. This function makes at most two indexed reads.
    """
    row = read_by_digest(key)
    if row is not None:
        return row.id if row.ended_at is None else None
    rows = UserSession.objects.primary().live()
    recent = rows.filter(
        former_digest__in=engines.digests(key),
        # A key that was replaced long ago may have become known to somebody else.
        key_recorded_at__gt=DatabaseNow() - STORED_WITHIN,
    )
    return recent.values_list("pk", flat=True).first()


@explains_missing_tables
def read_with_stored(
    key: str,
    model: type[AbstractBaseSession],
    using: str,
    users: UserJoin | None = None,
) -> tuple[str, RowAndUser | None] | None:
    """
    Return the encoded data and the ``UserSession`` row of a stored session.

    One SQL statement reads both and, with ``users``, the session's user. The second
    item is ``None`` if no ``UserSession`` row records the session key ``key``. If
    ``model`` stores no unexpired session under the key, return ``None`` instead of the
    pair.
    """
    connection = connections[using]
    # The column of Django's sessions is in the zone in which Django stores times.
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_beside_stored(using, model, users), [key, key, now])
        values = cursor.fetchone()
    if values is None:
        return None
    data, stored_key, *rest = values
    if stored_key != key:
        # MariaDB ignores case, so the client would choose the spelling of the key.
        return None
    return data, None if rest[0] is None else _row_and_user(rest, connection, users)


def beside_rows(
    store: type[SessionBase],
) -> tuple[type[AbstractBaseSession], str] | None:
    """
    Return the model of stored sessions, and the alias of the database that holds them.

    Return ``None`` if one SQL statement cannot read both a session of the engine
    ``store`` and its ``UserSession`` row: the engine has code of its own, or it reads
    another database than the one to which ``UserSession`` rows are written.
    """
    model, using = engines.plain_db_model(store), registry_alias()
    if model is None or router.db_for_read(model) != using:
        return None
    return model, using
