"""The database that holds the registry: what makes sign-ins at one moment fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

from session_limit.models import UserSession


def check_databases(**_kwargs: Any) -> Iterator[checks.CheckMessage]:
    """Check for what makes sign-ins at the same moment fail."""
    alias = router.db_for_write(UserSession)
    connection = connections[alias]
    if not connection.settings_dict["ATOMIC_REQUESTS"]:
        return  # transactions of our own begin as they should
    if _begins_deferred(connection):
        yield checks.Warning(
            f'Database "{alias}" is SQLite with ATOMIC_REQUESTS: sign-ins at the same '
            'moment fail with "database is locked".',
            hint='Set OPTIONS["transaction_mode"] to "IMMEDIATE": they then queue.',
            id="session_limit.W301",
        )
    if _repeats_reads(connection):
        yield checks.Warning(
            f'Database "{alias}" has ATOMIC_REQUESTS and an isolation level above READ '
            "COMMITTED: of sign-ins at the same moment some fail, with a 503.",
            hint='Set OPTIONS["isolation_level"] to read committed.',
            id="session_limit.W302",
        )


def _begins_deferred(connection: BaseDatabaseWrapper) -> bool:
    mode = connection.settings_dict["OPTIONS"].get("transaction_mode") or "DEFERRED"
    return connection.vendor == "sqlite" and mode.upper() == "DEFERRED"


def _repeats_reads(connection: BaseDatabaseWrapper) -> bool:
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "mysql":
        # Django's default is READ COMMITTED; None leaves it to the server, whose
        # default is REPEATABLE READ.
        level = options.get("isolation_level", "read committed") or "repeatable read"
        return level.lower() in {"repeatable read", "serializable"}
    if connection.vendor == "postgresql" and "isolation_level" in options:
        # A number that means another level to each driver; Django knows which.
        levels = import_string(
            "django.db.backends.postgresql.psycopg_any.IsolationLevel"
        )
        level = options["isolation_level"]
        return level in {levels.REPEATABLE_READ, levels.SERIALIZABLE}
    return False
