"""Read the time from the database, the only clock that all servers share."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

from session_limit.models.moments import UTCDateTimeField


class DatabaseNow(models.Func):
    """
    A database function that returns the current time of the database's clock.

    The function returns the time at which the statement runs, not the transaction's
    start. On SQLite and MySQL, which store no time zones, the result is in UTC, like
    the values of ``UTCDateTimeField``. Django's ``Now()`` is not in UTC on MySQL.
    """

    template = "CLOCK_TIMESTAMP()"
    output_field = UTCDateTimeField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # SQLite compares datetimes as text, so this has the same format as Django's,
        # with six digits after the seconds.
        template = "STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f000', 'NOW')"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        template = "UTC_TIMESTAMP(6)"
        return self.as_sql(compiler, connection, template=template, **context)
