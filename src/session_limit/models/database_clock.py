"""Read the time from the database, the only clock that all servers share."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler


def ahead_of_utc(connection: BaseDatabaseWrapper) -> int:
    """
    Return the current UTC offset, in seconds, of the datetimes that Django stores.

    The offset matters in databases that store no time zones. Django stores datetimes
    there in the connection's time zone or, if ``USE_TZ`` is false, in the project's.
    """
    if connection.timezone is None:
        return time.localtime().tm_gmtoff
    offset = datetime.now(connection.timezone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


class DatabaseNow(models.Func):
    """
    A database function that returns the current time of the database's clock.

    The function returns the time at which the statement runs, not the transaction's
    start. On SQLite and MySQL, which store no time zones, the result is in the time
    zone in which Django stores datetimes. Django's ``Now()`` does not do this on MySQL.
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
