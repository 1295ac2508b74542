"""The database's clock, which all servers share."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler


def ahead_of_utc(connection: BaseDatabaseWrapper) -> int:
    """
    Return how many seconds the zone is ahead of UTC just now that moments are stored in
    on a database without zones: the connection's, or without ``USE_TZ`` the project's.
    """
    if connection.timezone is None:
        return time.localtime().tm_gmtoff
    offset = datetime.now(connection.timezone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


class DatabaseNow(models.Func):
    """
    The moment by the database's clock, in the statement that asks: the only clock that
    all servers share. Not ``Now()``, which on MySQL is in the zone of the connection.
    On SQLite and MySQL, which store none, it is in the zone that Django stores in.
    """

    template = "CLOCK_TIMESTAMP()"
    output_field = models.DateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # As Django writes moments, and six digits, for text is what it compares.
        now = f"'NOW', '{ahead_of_utc(connection)} SECONDS'"
        template = f"STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', {now})"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = f"UTC_TIMESTAMP(6) + INTERVAL {ahead_of_utc(connection)} SECOND"
        return self.as_sql(compiler, connection, template=template, **context)
