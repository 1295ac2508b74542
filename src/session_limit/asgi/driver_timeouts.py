"""Limit how long database drivers wait, and interrupt them from another thread."""

from __future__ import annotations

import contextlib
import os
import socket

from django.core.cache import caches
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from django.db.backends.base.base import BaseDatabaseWrapper

# In seconds. Drivers take only whole numbers, and libpq takes no less than 2.
TIMEOUT = 2


def set_timeouts(connection: BaseDatabaseWrapper) -> None:
    """
    Set timeouts on a database ``connection`` that has not been opened.

    Timeouts in the project's ``OPTIONS`` take precedence. Also disables the project's
    connection pool for ``connection``. Each thread has its own connections, so other
    threads are not affected.
    """
    # These timeouts end what disconnect() cannot: opening a connection, and any wait of
    # mysqlclient, which keeps its socket private.
    names: tuple[str, ...] = ()
    if connection.vendor in {"postgresql", "mysql"}:
        names = ("connect_timeout",)
    driver = getattr(getattr(connection, "Database", None), "__name__", "")
    if connection.vendor == "mysql" and driver in {"MySQLdb", "pymysql"}:
        names += ("read_timeout", "write_timeout")
    settings = connection.settings_dict
    options = {**dict.fromkeys(names, TIMEOUT), **settings["OPTIONS"]}
    # A pool could hand out another stalled connection, or make this thread wait while
    # views use all of its connections.
    options.pop("pool", None)
    connection.settings_dict = {**settings, "OPTIONS": options}


def set_cache_timeouts(alias: str) -> None:
    """
    Set timeouts for this thread's connections to the cache ``alias``.

    Call this before the first connection. Timeouts in the project's ``OPTIONS`` take
    precedence. Only Django's ``RedisCache`` and ``PyMemcacheCache`` are supported.
    """
    cache = caches[alias]
    if isinstance(cache, RedisCache):
        names = ("socket_connect_timeout", "socket_timeout")
    elif isinstance(cache, PyMemcacheCache):
        names = ("connect_timeout", "timeout")
    else:
        return
    vars(cache)["_options"] = dict.fromkeys(names, TIMEOUT) | vars(cache)["_options"]


def bound_locks(connection: BaseDatabaseWrapper) -> None:
    """
    Limit how long statements on a newly opened ``connection`` wait for row locks.

    Only MySQL and MariaDB need this limit. By default, their statements wait up to 50
    seconds for a row lock, even if the client has disconnected, and their protocol has
    no way to cancel a statement.
    """
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [TIMEOUT])


def cancel(connection: BaseDatabaseWrapper) -> None:
    """
    Ask PostgreSQL to cancel the statement that another thread executes.

    ``connection`` is the connection of that thread. This function blocks.
    """
    # PostgreSQL does not notice that a client has disconnected while its statement
    # waits for a lock. Abandoned statements would use up the server's connections
    # until the lock is released.
    opened = connection.connection
    # The connection may be closed in the meantime, and the server may not answer.
    with contextlib.suppress(Exception):
        if hasattr(opened, "cancel_safe"):
            opened.cancel_safe(timeout=TIMEOUT)
        elif hasattr(opened, "cancel"):  # psycopg2, psycopg 3.1
            opened.cancel()


def disconnect(connection: BaseDatabaseWrapper) -> None:
    """
    Shut down the socket of a database ``connection`` that another thread uses.

    If that thread waits for the server, its call fails as if the server had closed the
    connection. That thread still has to close ``connection``.
    """
    opened = connection.connection
    if hasattr(opened, "fileno"):
        # Drivers raise different exceptions if the connection is closed.
        with (
            contextlib.suppress(Exception),
            socket.socket(fileno=os.dup(opened.fileno())) as duplicate,
        ):
            duplicate.shutdown(socket.SHUT_RDWR)
