"""
Read ``UserSession`` rows with fast SQL statements.

Every authenticated request runs one of these statements. This module builds them from
the models' metadata, because the same queries cost five times as much through the ORM.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import connections, models, router
from django.db.models.expressions import Expression
from django.utils import timezone

from session_limit.models import (
    STORED_WITHIN,
    DatabaseNow,
    UserSession,
    UserSessionQuerySet,
    registry_alias,
)
from session_limit.models.moments import UTCDateTimeField, stored_moment
from session_limit.store import engines
from session_limit.store.joined_users import JoinedUser, UserJoin
from session_limit.store.liveness import Row
from session_limit.utils.clock import utc_now
from session_limit.utils.missing_tables import explains_missing_tables

Converter = Callable[[Any, Any, Any], Any]


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


_FIELDS = tuple(_field(UserSession, name) for name in Row._fields)


def _columns(
    using: str, alias: str, model: type[models.Model], *names: str
) -> list[str]:
    quote = connections[using].ops.quote_name
    return [f"{alias}.{quote(cast('str', _field(model, n).column))}" for n in names]


@functools.cache
def _by_id(using: str, users: UserJoin | None) -> str:
    table = connections[using].ops.quote_name(UserSession._meta.db_table)
    [id, *others] = _columns(using, "r", UserSession, *Row._fields)
    # Table and column names in these statements come from the models.
    return (
        f"SELECT {', '.join([id, *others, *_columns_of(users)])}"  # noqa: S608
        f" FROM {table} r {_join_of(users)} WHERE {id} = %s"
    )


def _columns_of(users: UserJoin | None) -> tuple[str, ...]:
    return users.columns if users is not None else ()


def _join_of(users: UserJoin | None) -> str:
    return users.join if users is not None else ""


@functools.cache
def _beside_stored(
    using: str, model: type[AbstractBaseSession], users: UserJoin | None
) -> str:
    quote = connections[using].ops.quote_name
    data, key, expires = _columns(
        using, "s", model, "session_data", "session_key", "expire_date"
    )
    columns = _columns(using, "r", UserSession, *Row._fields)
    [recorded_key] = _columns(using, "r", UserSession, "session_key")
    return (
        f"SELECT {', '.join([data, key, *columns, *_columns_of(users)])}"  # noqa: S608
        f" FROM {quote(model._meta.db_table)} s"
        # Compare each column with the parameter. MySQL and PostgreSQL refuse to compare
        # two columns with different collations, and the tables may differ in age.
        f" LEFT JOIN {quote(UserSession._meta.db_table)} r ON {recorded_key} = %s"
        f" {_join_of(users)} WHERE {key} = %s AND {expires} > %s"
    )


@functools.cache
def _converters(using: str) -> list[tuple[int, Expression, Converter]]:
    connection = connections[using]
    # As the ORM does, convert a foreign key like the key that it refers to.
    columns = [field.get_col(UserSession._meta.db_table) for field in _FIELDS]
    return [
        (position, column, convert)
        for position, column in enumerate(columns)
        for convert in _converters_of(column, connection)
    ]


def _converters_of(column: Any, connection: Any) -> Sequence[Converter]:
    is_stored_moment = isinstance(column.output_field, UTCDateTimeField)
    if is_stored_moment and not connection.features.supports_timezones:
        return [stored_moment]
    return [
        *connection.ops.get_db_converters(column),
        *column.get_db_converters(connection),
    ]


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
    values = list(columns[: len(_FIELDS)])
    for position, column, convert in _converters(connection.alias):
        values[position] = convert(values[position], column, connection)
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


def shares_alias(model: type[models.Model]) -> str | None:
    """
    Return the alias of the database that holds both ``model`` and ``UserSession`` rows.

    Return ``None`` if ``model`` is read from another database than the one to which
    ``UserSession`` rows are written. One SQL statement cannot read both tables then.
    """
    using = registry_alias()
    return using if router.db_for_read(model) == using else None
