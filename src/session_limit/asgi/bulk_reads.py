"""Read about many sessions at once: those that are connected to this process."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models.expressions import Combinable
from django.utils import timezone

from session_limit.models import Play, UserSession, registry_alias


def read_unexpired(ids: Collection[UUID]) -> dict[UUID, Any]:
    """
    Return which of these sessions are live and before their recorded expiry, each with
    the primary key of its user. Makes one indexed read for as many ids as the database
    takes in one statement, and so do the other functions here.
    """
    using = registry_alias()
    rows = UserSession.objects.using(using).live().filter(expires_at__gt=timezone.now())
    return {
        id: user_id
        for some in _batches(ids, using)
        for id, user_id in rows.filter(pk__in=some).values_list("pk", "user_id")
    }


def read_ended_since(moment: datetime) -> list[UUID]:
    """Return the ids of the sessions that ended after ``moment``."""
    rows = UserSession.objects.primary()
    return list(rows.filter(ended_at__gt=moment).values_list("pk", flat=True))


def read_open_plays(user_ids: Collection[Any]) -> list[tuple[UUID, UUID]]:
    """Return the id and the session's id of each play of these users that is open."""
    using = registry_alias()
    plays = Play.objects.using(using).open()
    return [
        pair
        for some in _batches(user_ids, using)
        for pair in plays.filter(user_id__in=some).values_list("pk", "session_id")
    ]


def read_displaced(play_ids: Collection[UUID]) -> list[UUID]:
    """Return the sessions of those of these plays that something else has ended."""
    using = registry_alias()
    plays = Play.objects.using(using).filter(ended_reason__in=Play.HEARD)
    return [
        session
        for some in _batches(play_ids, using)
        for session in plays.filter(pk__in=some).values_list("session_id", flat=True)
    ]


def read_plays_ended_since(moment: datetime | Combinable) -> list[tuple[UUID, UUID]]:
    """
    Return the id and the session's id of each play that something else ended after
    ``moment``. It may be an expression, so that the database's clock decides.
    """
    rows = Play.objects.primary().filter(ended_at__gt=moment)
    heard = rows.filter(ended_reason__in=Play.HEARD)
    return list(heard.values_list("pk", "session_id"))


def _batches(values: Collection[Any], using: str) -> Iterator[list[Any]]:
    """Divide ``values``, so that each part and ten parameters fit into a statement."""
    most = connections[using].features.max_query_params
    size = most - 10 if most else max(len(values), 1)
    rest = list(values)
    while rest:
        yield rest[:size]
        del rest[:size]
