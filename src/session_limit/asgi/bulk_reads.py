"""Read about many sessions at once: those that are connected to this process."""

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
    Return which of these sessions are live and before their recorded expiry, each with
    the primary key of its user. Makes one indexed read for as many ids as the database
    takes in one statement, and so do the other functions here.
    """
    live = UserSession.objects.primary().live().filter(expires_at__gt=timezone.now())
    return dict(_select(live.values_list("pk", "user_id"), "pk", ids))


def read_ended_since(moment: datetime) -> list[UUID]:
    """Return the ids of the sessions that ended after ``moment``."""
    rows = UserSession.objects.primary()
    return list(rows.filter(ended_at__gt=moment).values_list("pk", flat=True))


def read_open_plays(user_ids: Collection[Any]) -> list[tuple[UUID, UUID]]:
    """Return the id and the session's id of each play of these users that is open."""
    plays = Play.objects.primary().open().values_list("pk", "session_id")
    return list(_select(plays, "user_id", user_ids))


def read_displaced(play_ids: Collection[UUID]) -> list[UUID]:
    """Return the sessions of those of these plays that something else has ended."""
    plays = Play.objects.primary().filter(ended_reason__in=Play.HEARD)
    return list(_select(plays.values_list("session_id", flat=True), "pk", play_ids))


def read_plays_ended_since(moment: datetime | Combinable) -> list[tuple[UUID, UUID]]:
    """
    Return the id and the session's id of each play that something else ended after
    ``moment``. It may be an expression, so that the database's clock decides.
    """
    heard = Play.objects.primary().filter(ended_reason__in=Play.HEARD)
    return list(heard.filter(ended_at__gt=moment).values_list("pk", "session_id"))


def _select(
    rows: QuerySet[Any, Any], field: str, values: Collection[Any]
) -> Iterator[Any]:
    """
    Yield those of the ``rows`` that have one of ``values`` in ``field``. Divides
    ``values``, so that each part and ten parameters fit into a statement.
    """
    most = connections[rows.db].features.max_query_params
    size = most - 10 if most else max(len(values), 1)
    rest = list(values)
    while rest:
        yield from rows.filter(**{f"{field}__in": rest[:size]})
        del rest[:size]
