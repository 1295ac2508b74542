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
    Return how many seconds ahead of UTC the moments are that ``connection`` stores now,
    if its database stores no time zones. They are in the connection's time zone, or
    without ``USE_TZ`` in the project's.
    """
    if connection.timezone is None:
        return time.localtime().tm_gmtoff
    offset = datetime.now(connection.timezone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


class DatabaseNow(models.Func):
    """
    The current moment by the database's clock, when the statement runs.

    Django's ``Now()`` would be in the connection's time zone on MySQL. On SQLite and
    MySQL, which store no time zones, this is in the time zone that Django stores in.
    """

    template = "CLOCK_TIMESTAMP()"
    output_field = models.DateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # SQLite compares text, so this has the same form, with six digits, as Django's.
        now = f"'NOW', '{ahead_of_utc(connection)} SECONDS'"
        template = f"STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', {now})"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = f"UTC_TIMESTAMP(6) + INTERVAL {ahead_of_utc(connection)} SECOND"
        return self.as_sql(compiler, connection, template=template, **context)
