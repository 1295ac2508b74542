"""
Read the state of many sessions and plays from the database at once.

Each function makes one indexed read for as many ids as fit into one statement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.utils import timezone

from session_limit.models import Play, UserSession


def read_unexpired(ids: Collection[UUID]) -> dict[UUID, Any]:
    """
    Return the live sessions among ``ids`` that have not reached their recorded expiry.

    The keys of the result are session ids, and the values are the users' primary keys.
    """
    live = UserSession.objects.primary().live().filter(expires_at__gt=timezone.now())
    return dict(_select(live.values_list("pk", "user_id"), "pk", ids))


def read_ended_since(moment: datetime) -> list[UUID]:
    """Return the ids of the sessions that ended after ``moment``."""
    rows = UserSession.objects.primary()
    return list(rows.filter(ended_at__gt=moment).values_list("pk", flat=True))


def read_open_plays(user_ids: Collection[Any]) -> list[tuple[UUID, UUID]]:
    """Return the ids of the users' open ``Play`` rows, each with its session's id."""
    plays = Play.objects.primary().open().values_list("pk", "session_id")
    return list(_select(plays, "user_id", user_ids))


def read_displaced(play_ids: Collection[UUID]) -> list[UUID]:
    """Return session ids of ``Play`` rows that a newer play or lower limit ended."""
    plays = Play.objects.primary().filter(ended_reason__in=Play.HEARD)
    return list(_select(plays.values_list("session_id", flat=True), "pk", play_ids))


def read_plays_ended_since(moment: datetime | Combinable) -> list[tuple[UUID, UUID]]:
    """
    Return ids of plays that a newer play or lower limit ended after ``moment``.

    Each id of a ``Play`` comes with its session's id. ``moment`` may be a database
    expression, so that the database's clock decides.
    """
    heard = Play.objects.primary().filter(ended_reason__in=Play.HEARD)
    return list(heard.filter(ended_at__gt=moment).values_list("pk", "session_id"))


def _select(
    rows: QuerySet[Any, Any], field: str, values: Collection[Any]
) -> Iterator[Any]:
    """
    Yield the ``rows`` that have one of ``values`` in ``field``.

    Splits ``values``, so that each part and ten other parameters fit into a statement.
    """
    most = connections[rows.db].features.max_query_params
    size = most - 10 if most else max(len(values), 1)
    rest = list(values)
    while rest:
        yield from rows.filter(**{f"{field}__in": rest[:size]})
        del rest[:size]
