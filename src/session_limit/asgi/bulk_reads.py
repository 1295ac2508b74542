"""
Read the state of many sessions and plays from the database at once.

A play is one playback of limited content. Each query uses an index, and is split if
one statement cannot take all ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import QuerySet
from django.db.models.expressions import Combinable

from session_limit.models import Play, UserSession
from session_limit.utils.clock import utc_now


def read_unexpired(ids: Collection[UUID]) -> dict[UUID, Any]:
    """
    Return the live and unexpired sessions that have one of the given ``ids``.

    The returned dictionary maps session ids to the primary keys of the users.
    """
    live = UserSession.objects.primary().live().filter(expires_at__gt=utc_now())
    return dict(_select(live.values_list("pk", "user_id"), "pk", ids))


def read_ended_since(moment: datetime) -> list[UUID]:
    """Return the ids of all sessions that ended after ``moment``."""
    rows = UserSession.objects.primary()
    return list(rows.filter(ended_at__gt=moment).values_list("pk", flat=True))


def read_open_plays(user_ids: Collection[Any]) -> list[tuple[UUID, UUID]]:
    """Return (play id, session id) pairs of the users' plays without a recorded end."""
    plays = Play.objects.primary().open().values_list("pk", "session_id")
    return list(_select(plays, "user_id", user_ids))


def read_displaced(play_ids: Collection[UUID]) -> list[UUID]:
    """Return the session ids of the plays that a newer play or a lower limit ended."""
    plays = Play.objects.primary().filter(ended_reason__in=Play.HEARD)
    return list(_select(plays.values_list("session_id", flat=True), "pk", play_ids))


def read_plays_ended_since(moment: datetime | Combinable) -> list[tuple[UUID, UUID]]:
    """
    Return the plays that a newer play or a lower limit ended after ``moment``.

    Each play is returned as a pair of the play's id and the session's id. ``moment`` is
    a ``datetime`` or an expression that the database evaluates by its own clock.
    """
    heard = Play.objects.primary().filter(ended_reason__in=Play.HEARD)
    return list(heard.filter(ended_at__gt=moment).values_list("pk", "session_id"))


def _select(
    rows: QuerySet[Any, Any], field: str, values: Collection[Any]
) -> Iterator[Any]:
    """Yield the rows in which ``field`` has one of the given ``values``."""
    # Databases limit the number of parameters in a statement. Leave room for up to ten
    # other parameters.
    most = connections[rows.db].features.max_query_params
    size = most - 10 if most else max(len(values), 1)
    rest = list(values)
    while rest:
        yield from rows.filter(**{f"{field}__in": rest[:size]})
        del rest[:size]
