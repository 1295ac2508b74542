"""A system check that finds projects in which ``prunesessions`` does not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections

from session_limit.checks.classes import alias_of_registry
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.utils.clock import utc_now

# How long after the retention a row must have been kept. A command that runs once a
# week is scheduled.
GRACE = timedelta(days=14)


def check_pruning(
    *, databases: Sequence[str] | None = None, **_kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """
    Warn if ended sessions are kept for much longer than ``SESSION_LIMIT_RETENTION``.

    ``databases`` lists the aliases of the databases that a check may connect to.
    """
    alias = alias_of_registry()
    if alias not in connections or alias not in (databases or ()):
        return
    try:
        before = utc_now() - conf.retention - GRACE
    except (ImproperlyConfigured, OverflowError):
        return  # check_settings() reports it, or nothing is ever old enough
    try:
        is_growing = _has_ended_before(before, alias)
    except (DatabaseError, ImproperlyConfigured):
        return  # the database does not answer, or DATABASES is not complete
    if is_growing:
        yield checks.Warning(
            f'Database "{alias}" has sessions that ended more than {GRACE.days} days '
            "longer ago than SESSION_LIMIT_RETENTION, so the command prunesessions "
            "does not seem to run. The table grows with every sign-in.",
            hint="Run manage.py prunesessions once a day, for example with cron.",
            id="session_limit.W315",
        )


def _has_ended_before(moment: datetime, alias: str) -> bool:
    """Return whether the table has a session that ended before ``moment``."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        # The command "migrate" runs checks before it creates the tables.
        tables = connection.introspection.table_names(cursor)
    if UserSession._meta.db_table not in tables:
        return False
    return UserSession.objects.using(alias).filter(ended_at__lt=moment).exists()
