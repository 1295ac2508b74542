"""What ``make demo BUS=redis`` and ``BUS=postgres`` need beside SQLite."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

# PostgreSQL's own variables say where it is; these are what it is by default here.
SERVER = {"PGHOST": "127.0.0.1", "PGPORT": "5432", "PGUSER": "postgres"}
REDIS_URL = "redis://127.0.0.1:6379/0"


def reach_redis() -> None:
    """Raise ``ImportError`` or ``OSError`` where Redis is not to be had."""
    redis: Any = import_module("redis")
    try:
        redis.Redis.from_url(os.environ.setdefault("REDIS_URL", REDIS_URL)).ping()
    except redis.RedisError as error:
        raise ConnectionError(str(error)) from None


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """
    Yield the name of a database of this run alone, gone afterwards. Raises
    ``ImportError`` or ``OSError`` where PostgreSQL is not to be had.
    """
    psycopg: Any = import_module("psycopg")
    for name, value in SERVER.items():
        os.environ.setdefault(name, value)
    database = f"session_limit_demo_{os.getpid()}"
    try:
        connection = psycopg.connect(dbname="postgres", autocommit=True)
    except psycopg.Error as error:
        raise ConnectionError(str(error)) from None
    with connection:
        connection.execute(f"CREATE DATABASE {database}")
        try:
            yield database
        finally:
            connection.execute(f"DROP DATABASE {database} WITH (FORCE)")
