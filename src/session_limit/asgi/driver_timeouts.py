"""Bound how long a database driver waits, and end a wait from another thread."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from django.core.cache import BaseCache, caches
from django.core.cache.backends.memcached import PyMemcacheCache
from django.core.cache.backends.redis import RedisCache
from django.db.backends.base.base import BaseDatabaseWrapper

# In whole seconds, as drivers want it. The least that libpq takes is 2.
TIMEOUT = 2
# The drivers that take all of the names below.
_MYSQL_DRIVERS = {"MySQLdb", "pymysql"}
# The options of Django's caches that bound each wait.
_CACHE_TIMEOUTS: list[tuple[type[BaseCache], tuple[str, str]]] = [
    (RedisCache, ("socket_connect_timeout", "socket_timeout")),
    (PyMemcacheCache, ("connect_timeout", "timeout")),
]


def set_timeouts(connection: BaseDatabaseWrapper) -> None:
    """
    Set the driver's timeouts for a ``connection`` that has yet to be opened, unless the
    project's ``OPTIONS`` have set them. Do not use the project's pool.

    They end what ``disconnect()`` cannot: opening a connection, and any wait with
    mysqlclient, which shows its socket to no other thread. The wrapper belongs to one
    thread, so the project's own connections are not affected. A pool would hand out
    the next stalled connection, and make its caller wait while views use all others.
    """
    names: tuple[str, ...] = ()
    if connection.vendor in {"postgresql", "mysql"}:
        names = ("connect_timeout",)
    driver = getattr(getattr(connection, "Database", None), "__name__", "")
    if connection.vendor == "mysql" and driver in _MYSQL_DRIVERS:
        names = ("connect_timeout", "read_timeout", "write_timeout")
    settings = connection.settings_dict
    options = {**dict.fromkeys(names, TIMEOUT), **settings["OPTIONS"]}
    options.pop("pool", None)
    connection.settings_dict = {**settings, "OPTIONS": options}


def set_cache_timeouts(alias: str) -> None:
    """
    Set the timeouts of this thread's own object for the cache ``alias``, before it
    connects, unless the project's ``OPTIONS`` have set them. Other caches than Django's
    for Redis and Memcached are left alone.
    """
    cache = caches[alias]
    for kind, names in _CACHE_TIMEOUTS:
        if isinstance(cache, kind):
            given: dict[str, Any] = vars(cache)["_options"]
            vars(cache)["_options"] = {**dict.fromkeys(names, TIMEOUT), **given}


def bound_locks(connection: BaseDatabaseWrapper) -> None:
    """
    Let the server end each wait for a row lock over a ``connection`` just opened.

    MySQL and MariaDB do not notice that a client has left while its statement waits for
    a row lock, by default for 50 seconds, and their protocol cannot cancel it.
    """
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [TIMEOUT])


def cancel(connection: BaseDatabaseWrapper) -> None:
    """
    Ask PostgreSQL to cancel what ``connection`` executes in another thread. Blocks.

    PostgreSQL does not notice that a client has left while its statement waits for a
    lock. Without this, the statements that were given up would use up the server's
    connections until the lock is released.
    """
    opened = connection.connection
    # A connection may be closed meanwhile, and a server may not answer.
    with contextlib.suppress(Exception):
        if hasattr(opened, "cancel_safe"):
            opened.cancel_safe(timeout=TIMEOUT)
        elif hasattr(opened, "cancel"):  # psycopg2, psycopg 3.1
            opened.cancel()


def disconnect(connection: BaseDatabaseWrapper) -> None:
    """
    Shut the socket of ``connection`` from another thread than the one that uses it.

    A call that waits there for the server's answer then fails, as if the server had
    closed the connection. The thread that owns the connection closes it.
    """
    opened = connection.connection
    if hasattr(opened, "fileno"):
        # A driver raises an error of its own for a connection that is closed.
        with contextlib.suppress(Exception):
            _shut(opened.fileno())


def _shut(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
