"""Recognize sessions that an earlier installation of this package has recorded."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from session_limit.conf import conf
from session_limit.models import UserSession, made_at, registry_alias
from session_limit.registry.pruning import MAX_KEPT
from session_limit.utils.clock import as_utc, utc_now

FIRST_MIGRATION = "0001_initial"
# How far the clock that dated the first migration may differ from the clock of a server
# that records sessions. A change of USE_TZ can shift the date by a time zone's offset.
CLOCKS_APART = timedelta(days=1)


def is_from_earlier_installation(id: UUID, user_id: str) -> bool:
    """
    Return whether an earlier installation recorded the session with this ``id``.

    Call this function only if there is no row with the id. ``user_id`` is the primary
    key of the user, as the session's data contain it. An id contains the time at
    which it was made. If the id is older than this installation's tables, the row was
    dropped with the tables of an earlier installation. Otherwise the row was deleted
    from these tables after the session had ended, and the session must stay ended.
    """
    using = registry_alias()
    connection = connections[using]
    # django-tenants migrates each tenant's schema on its own.
    installed_at = _installed_at(using, getattr(connection, "schema_name", None))
    made = made_at(id)
    if made is None or installed_at is None or made >= installed_at:
        return False
    if made < installed_at - CLOCKS_APART:
        return True
    # A server with a slow clock may have recorded the session in these tables. The row
    # would then still be there, because prune() cannot have deleted it yet.
    if utc_now() > installed_at + conf.retention - CLOCKS_APART:
        return False
    ended = UserSession.objects.using(using).ended().filter(user_id=user_id)
    return ended[:MAX_KEPT].count() < MAX_KEPT


@functools.cache
def _installed_at(using: str, schema: str | None) -> datetime | None:
    """Return when the tables were created, or ``None`` if no migration says so."""
    recorder = MigrationRecorder(connections[using])
    if not recorder.has_table():
        return None
    first = recorder.migration_qs.filter(app="session_limit", name=FIRST_MIGRATION)
    applied: datetime | None = first.values_list("applied", flat=True).first()
    return None if applied is None else as_utc(applied)
