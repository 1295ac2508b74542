"""Find out whether a session plays anything, in one cheap statement."""

from __future__ import annotations

import functools
from typing import Any, cast
from uuid import UUID

from django.db import connections

from session_limit.models import Play, ahead_of_utc, registry_alias

# Stands for a value that the statement gets when it runs.
_ANY = UUID(int=0)


@functools.cache
def _leased(using: str, utc_offset: int, *names: str) -> str:
    """
    Return the ORM's statement that finds a leased play by the columns ``names``.

    The statement may contain ``utc_offset``, which is therefore part of the cache's
    key: how many seconds the time zone that the database stores is ahead of UTC.
    """
    plays = Play.objects.using(using).leased()
    query = plays.filter(**dict.fromkeys(names, _ANY)).values_list("pk")[:1].query
    return cast("str", query.get_compiler(using).as_sql()[0])


def _reads_leased(**values: Any) -> bool:
    using = registry_alias()
    connection, fields = connections[using], cast("Any", Play._meta.get_field)
    parameters = [
        fields(name).get_db_prep_value(value, connection, prepared=False)
        # filter() sorts its arguments, too.
        for name, value in sorted(values.items())
    ]
    with connection.cursor() as cursor:
        statement = _leased(using, ahead_of_utc(connection), *values)
        cursor.execute(statement, parameters)
        return cursor.fetchone() is not None


def is_playing(id: UUID, session_id: UUID) -> bool:
    """
    Return whether the play with this ``id`` belongs to the session and has an unexpired
    lease. The caller knows that the session is live. Takes one indexed read.
    """
    return _reads_leased(id=id, session=session_id)


def is_playing_anything(user_id: Any, session_id: UUID) -> bool:
    """Return whether a play of this session has an unexpired lease."""
    return _reads_leased(user=user_id, session=session_id)
