"""Prepare the database servers for ``make demo BUS=redis`` and ``BUS=postgres``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

# Defaults for the environment variables that PostgreSQL's clients read.
SERVER = {"PGHOST": "127.0.0.1", "PGPORT": "5432", "PGUSER": "postgres"}
REDIS_URL = "redis://127.0.0.1:6379/0"


def reach_redis() -> None:
    """
    Check that the Redis server can be reached.

    Raises ``ImportError`` if redis-py is not installed, and ``OSError`` if the server
    does not answer.
    """
    redis: Any = import_module("redis")
    try:
        redis.Redis.from_url(os.environ.setdefault("REDIS_URL", REDIS_URL)).ping()
    except redis.RedisError as error:
        raise ConnectionError(str(error)) from None


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """
    Create a PostgreSQL database for this run, yield its name, and drop it afterwards.

    Raises ``ImportError`` if psycopg is not installed, and ``OSError`` if the server
    does not answer.
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
