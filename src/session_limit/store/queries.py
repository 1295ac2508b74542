"""
Is this session live? The reads that every authenticated request makes, written by
hand from the models' metadata: a fifth of what they cost through the ORM.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.exceptions import ValidationError
from django.db import connections, models, router
from django.utils import timezone

from session_limit.conf import conf
from session_limit.models import (
    STORED_WITHIN,
    DatabaseNow,
    Play,
    UserSession,
    UserSessionQuerySet,
    ahead_of_utc,
    registry_alias,
)
from session_limit.store import engines

Converter = Callable[[Any, Any, Any], Any]


class Row(NamedTuple):
    """What a request needs of its ``UserSession`` row."""

    id: UUID
    user_id: Any
    ended_at: datetime | None
    authenticated_at: datetime
    last_active_at: datetime
    expires_at: datetime
    expires_reason: str
    counted: bool
    # The newer sign-in that it has not been told of.
    notice: UUID | None

    @classmethod
    def of(cls, session: UserSession) -> Row:
        """Return what a request needs of ``session``."""
        return cls(*(getattr(session, name) for name in cls._fields))

    @property
    def touch_interval(self) -> timedelta:
        """
        How long activity may go unrecorded: the setting's interval, and never more
        than a tenth of an idle timeout.
        """
        if self.expires_reason != UserSession.Reason.IDLE:
            return conf.touch_interval
        idle_timeout = self.expires_at - self.last_active_at
        return min(conf.touch_interval, idle_timeout / 10)

    def is_touch_due(self, now: datetime) -> bool:
        """Whether activity has gone unrecorded for long enough."""
        return now - self.last_active_at >= self.touch_interval

    def is_due(self, now: datetime) -> bool:
        """
        Whether its time is up: never early, so what may not have been recorded yet
        counts for it, and at most one touch late.
        """
        if self.expires_at > now or self.expires_reason == UserSession.Reason.ABSOLUTE:
            return self.expires_at <= now
        return self.expires_at + self.touch_interval <= now

    def is_live_of(self, user_id: Any) -> bool:
        """Whether it has not ended, and is of that user: see ``belongs_to()``."""
        return self.ended_at is None and self.belongs_to(user_id)

    def belongs_to(self, user_id: Any) -> bool:
        """Whether it is of the user whose primary key, as text, is ``user_id``."""
        if str(self.user_id) == user_id:
            return True
        # As Django reads it: text need not be what str() makes of a key.
        to_python = UserSession._meta.get_field("user").to_python
        try:
            return bool(to_python(self.user_id) == to_python(user_id))
        except ValidationError:
            return False


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


_FIELDS = tuple(_field(UserSession, name) for name in Row._fields)


def _columns(
    using: str, alias: str, model: type[models.Model], *names: str
) -> list[str]:
    quote = connections[using].ops.quote_name
    return [f"{alias}.{quote(cast('str', _field(model, n).column))}" for n in names]


@functools.cache
def _by_id(using: str) -> str:
    table = connections[using].ops.quote_name(UserSession._meta.db_table)
    columns = _columns(using, "r", UserSession, *Row._fields)
    # Every name in these statements is the models'.
    return f"SELECT {', '.join(columns)} FROM {table} r WHERE {columns[0]} = %s"  # noqa: S608


@functools.cache
def _beside_stored(using: str, model: type[AbstractBaseSession]) -> str:
    quote = connections[using].ops.quote_name
    data, key, expires = _columns(
        using, "s", model, "session_data", "session_key", "expire_date"
    )
    columns = _columns(using, "r", UserSession, *Row._fields)
    [recorded_key] = _columns(using, "r", UserSession, "session_key")
    return (
        f"SELECT {', '.join([data, key, *columns])}"  # noqa: S608
        f" FROM {quote(model._meta.db_table)} s"
        f" LEFT JOIN {quote(UserSession._meta.db_table)} r ON {recorded_key} = {key}"
        f" WHERE {key} = %s AND {expires} > %s"
    )


@functools.cache
def _converters(using: str) -> list[tuple[int, models.Field[Any, Any], Converter]]:
    """Return what makes Python's values of columns, by position, as the ORM does."""
    connection = connections[using]
    return [
        (position, field, convert)
        for position, field in enumerate(_FIELDS)
        for convert in (
            *connection.ops.get_db_converters(field.cached_col),
            *field.cached_col.get_db_converters(connection),
        )
    ]


def _row(columns: Iterable[Any], using: str) -> Row:
    """Return the row whose columns the database answered with."""
    connection, values = connections[using], list(columns)
    for position, field, convert in _converters(using):
        values[position] = convert(values[position], field.cached_col, connection)
    return Row(*values)


def read(id: UUID) -> Row | None:
    """Return the row with this id, live or ended, in one indexed read."""
    using = registry_alias()
    connection = connections[using]
    parameter = UserSession._meta.pk.get_db_prep_value(id, connection, prepared=False)
    with connection.cursor() as cursor:
        cursor.execute(_by_id(using), [parameter])
        values = cursor.fetchone()
    return None if values is None else _row(values, using)


def live_of(user_id: Any) -> UserSessionQuerySet:
    """
    Return the live sessions of the user with this primary key, without those that have
    expired and whose row is still live. An account may have any number of them, so a
    caller counts them or reads a bounded part.
    """
    rows = UserSession.objects.primary().live().filter(user_id=user_id)
    return rows.in_time(timezone.now())


@functools.cache
def _leased(using: str, zone: int, *names: str) -> str:
    """
    Return the statement for a leased play with these columns, as the ORM has it, which
    may contain how many seconds the ``zone`` is ahead of UTC that is stored in.
    """
    plays = Play.objects.using(using).leased()
    query = plays.filter(**dict.fromkeys(names, _ANY)).values_list("pk")[:1].query
    return cast("str", query.get_compiler(using).as_sql()[0])


# Stands for a value that a statement is given later.
_ANY = UUID(int=0)


def _reads_leased(**values: Any) -> bool:
    using = registry_alias()
    connection = connections[using]
    parameters = [
        _field(Play, name).get_db_prep_value(value, connection, prepared=False)
        # In the order in which filter() puts what it is given.
        for name, value in sorted(values.items())
    ]
    with connection.cursor() as cursor:
        zone = ahead_of_utc(connection)
        cursor.execute(_leased(using, zone, *values), parameters)
        return cursor.fetchone() is not None


def reads_play(id: UUID, session_id: UUID) -> bool:
    """
    Whether the session with that id, which the caller knows to be live, plays the play
    with this one: one indexed read.
    """
    return _reads_leased(id=id, session=session_id)


def reads_any_play(user_id: Any, session_id: UUID) -> bool:
    """Whether that session of this user plays anything: one indexed read."""
    return _reads_leased(user=user_id, session=session_id)


def read_by_digest(key: str) -> Row | None:
    """Return the latest row whose session had this key, by its digest."""
    rows = UserSession.objects.primary()
    row = rows.filter(key_digest__in=engines.digests(key)).order_by("-pk").first()
    return None if row is None else Row.of(row)


def read_by_lost_key(key: str) -> UUID | None:
    """
    Return the id of the live session that has this key, or had it before a rotation of
    a moment ago, although nothing is stored under it: two indexed reads at most.
    """
    row = read_by_digest(key)
    if row is not None:
        return row.id if row.ended_at is None else None
    rows = (
        UserSession.objects.primary()
        .live()
        .filter(
            former_digest__in=engines.digests(key),
            # Someone else may hold a key that was replaced long ago.
            key_recorded_at__gt=DatabaseNow() - STORED_WITHIN,
        )
    )
    return rows.values_list("pk", flat=True).first()


def read_with_stored(
    key: str, model: type[AbstractBaseSession], using: str
) -> tuple[str, Row | None] | None:
    """
    Return the encoded data of the session that ``model`` stores under ``key``, and
    the row that has recorded this key: one statement for both. ``None`` where nothing
    unexpired is stored.
    """
    connection = connections[using]
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_beside_stored(using, model), [key, now])
        values = cursor.fetchone()
    if values is None:
        return None
    data, stored_key, *rest = values
    if stored_key != key:
        # MariaDB compares keys without regard to case. The client made this one up.
        return None
    return data, None if rest[0] is None else _row(tuple(rest), using)


def shares_transactions(store: type[SessionBase]) -> bool:
    """Whether what ``store`` writes is committed and rolled back with the registry."""
    return (
        issubclass(store, db.SessionStore)
        and router.db_for_write(store.get_model_class()) == registry_alias()
    )


def shares_alias(model: type[models.Model]) -> str | None:
    """
    Return the alias that both reads ``model`` and writes the registry, if one does
    both: only there can one statement read from the two.
    """
    using = registry_alias()
    return using if router.db_for_read(model) == using else None
