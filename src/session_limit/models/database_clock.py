"""Read the database's clock, the only one that all servers share."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler


def ahead_of_utc(connection: BaseDatabaseWrapper) -> int:
    """
    Return how many seconds ahead of UTC ``connection`` currently stores datetimes.

    This applies to databases that store no time zones. Django stores datetimes there in
    the connection's time zone or, if ``USE_TZ`` is false, in the project's.
    """
    if connection.timezone is None:
        return time.localtime().tm_gmtoff
    offset = datetime.now(connection.timezone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


class DatabaseNow(models.Func):
    """
    A database function that returns the time of the database's clock when the statement
    runs, not when the transaction began.

    On MySQL, Django's ``Now()`` would return a time in the connection's time zone. On
    SQLite and MySQL, which store no time zones, this function returns a time in the
    time zone in which Django stores datetimes.
    """

    template = "CLOCK_TIMESTAMP()"
    output_field = models.DateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # SQLite compares datetimes as text, so this has the same format as Django's,
        # with six digits after the seconds.
        now = f"'NOW', '{ahead_of_utc(connection)} SECONDS'"
        template = f"STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', {now})"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = f"UTC_TIMESTAMP(6) + INTERVAL {ahead_of_utc(connection)} SECOND"
        return self.as_sql(compiler, connection, template=template, **context)
