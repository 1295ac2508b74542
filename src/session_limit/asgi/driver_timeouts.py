"""Bound how long a database driver waits, and end a wait from another thread."""

from __future__ import annotations

import contextlib
import os
import socket

from django.core.cache import caches
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from django.db.backends.base.base import BaseDatabaseWrapper

# In seconds. Drivers take a whole number, and libpq at least 2.
TIMEOUT = 2


def set_timeouts(connection: BaseDatabaseWrapper) -> None:
    """
    Set the driver's timeouts on a ``connection`` before it opens, unless the project's
    ``OPTIONS`` set them. Take the connection out of the project's pool.

    The timeouts end what ``disconnect()`` cannot: opening a connection, and any wait of
    mysqlclient, which keeps its socket private. The wrapper belongs to one thread, so
    the project's own connections are not affected. A pool could hand out another
    stalled connection, or make this thread wait while views use all of them.
    """
    names: tuple[str, ...] = ()
    if connection.vendor in {"postgresql", "mysql"}:
        names = ("connect_timeout",)
    driver = getattr(getattr(connection, "Database", None), "__name__", "")
    if connection.vendor == "mysql" and driver in {"MySQLdb", "pymysql"}:
        names += ("read_timeout", "write_timeout")
    settings = connection.settings_dict
    options = {**dict.fromkeys(names, TIMEOUT), **settings["OPTIONS"]}
    options.pop("pool", None)
    connection.settings_dict = {**settings, "OPTIONS": options}


def set_cache_timeouts(alias: str) -> None:
    """
    Set the timeouts of this thread's client of the cache ``alias`` before it connects,
    unless the project's ``OPTIONS`` set them. Only Django's backends for Redis and
    Memcached are changed.
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
    Make the server of a ``connection`` that has just opened bound waits for row locks.

    MySQL and MariaDB do not notice that a client has disconnected while its statement
    waits for a row lock, by default for 50 seconds. Their protocol cannot cancel it.
    """
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [TIMEOUT])


def cancel(connection: BaseDatabaseWrapper) -> None:
    """
    Ask PostgreSQL to cancel the statement that ``connection`` executes in another
    thread. Blocks.

    PostgreSQL does not notice that a client has disconnected while its statement waits
    for a lock. Without this, abandoned statements would use up the server's connections
    until the lock is released.
    """
    opened = connection.connection
    # The connection may close meanwhile, and the server may not answer.
    with contextlib.suppress(Exception):
        if hasattr(opened, "cancel_safe"):
            opened.cancel_safe(timeout=TIMEOUT)
        elif hasattr(opened, "cancel"):  # psycopg2, psycopg 3.1
            opened.cancel()


def disconnect(connection: BaseDatabaseWrapper) -> None:
    """
    Shut down the socket of ``connection``, which another thread uses.

    A call that waits for the server's answer then fails, as if the server had closed
    the connection. The other thread still has to close it.
    """
    opened = connection.connection
    if hasattr(opened, "fileno"):
        # A driver raises an error of its own if the connection is closed.
        with (
            contextlib.suppress(Exception),
            socket.socket(fileno=os.dup(opened.fileno())) as duplicate,
        ):
            duplicate.shutdown(socket.SHUT_RDWR)
