"""Check with one fast SQL statement whether a session is playing limited content."""

from __future__ import annotations

import functools
from typing import Any, cast
from uuid import UUID

from django.db import connections

from session_limit.models import Play, registry_alias

# A placeholder for a value that is passed when the statement runs.
_ANY = UUID(int=0)


@functools.cache
def _leased(using: str, *names: str) -> str:
    """Return SQL that finds an active ``Play`` by the columns with the given names."""
    plays = Play.objects.using(using).leased()
    query = plays.filter(**dict.fromkeys(names, _ANY)).values_list("pk")[:1].query
    return cast("str", query.get_compiler(using).as_sql()[0])


def _reads_leased(**values: Any) -> bool:
    using = registry_alias()
    connection, fields = connections[using], cast("Any", Play._meta.get_field)
    parameters = [
        fields(name).get_db_prep_value(value, connection, prepared=False)
        # filter() sorts its arguments as well.
        for name, value in sorted(values.items())
    ]
    with connection.cursor() as cursor:
        cursor.execute(_leased(using, *values), parameters)
        return cursor.fetchone() is not None


def is_playing(id: UUID, session_id: UUID) -> bool:
    """
    Return whether the playback with this id is active and belongs to the session.

    A playback is active until its lease expires. This function makes one indexed read.
    It does not check whether the session is live.
    """
    return _reads_leased(id=id, session=session_id)


def is_playing_anything(user_id: Any, session_id: UUID) -> bool:
    """Return whether any playback of limited content by the session is active."""
    return _reads_leased(user=user_id, session=session_id)
