"""End what a driver waits for, whatever the driver is."""

from __future__ import annotations

import contextlib
import os
import socket

from django.db.backends.base.base import BaseDatabaseWrapper

# In whole seconds, as drivers want it. The least that libpq takes is 2.
TIMEOUT = 2
# The drivers that take all of the names below.
_MYSQL_DRIVERS = {"MySQLdb", "pymysql"}


def set_timeouts(connection: BaseDatabaseWrapper) -> None:
    """
    Set the driver's timeouts for a ``connection`` that has yet to be opened, unless the
    project's ``OPTIONS`` have set them.

    They end what ``disconnect()`` cannot: opening a connection, and any wait with
    mysqlclient, which shows its socket to no other thread. The wrapper belongs to one
    thread, so the project's own connections are not affected. A pool belongs to all
    threads, so its options stay as the project has set them.
    """
    settings = connection.settings_dict
    if settings["OPTIONS"].get("pool"):
        return
    names: tuple[str, ...] = ()
    if connection.vendor in {"postgresql", "mysql"}:
        names = ("connect_timeout",)
    driver = getattr(getattr(connection, "Database", None), "__name__", "")
    if connection.vendor == "mysql" and driver in _MYSQL_DRIVERS:
        names = ("connect_timeout", "read_timeout", "write_timeout")
    options = {**dict.fromkeys(names, TIMEOUT), **settings["OPTIONS"]}
    connection.settings_dict = {**settings, "OPTIONS": options}


def disconnect(connection: BaseDatabaseWrapper) -> None:
    """
    Shut the socket of ``connection`` from another thread than the one that uses it.

    What waits for the server's answer there then fails, as if the server had closed the
    connection. Closing it is left to its own thread.
    """
    opened = connection.connection
    if hasattr(opened, "fileno"):
        # A driver raises an error of its own for a connection that is closed.
        with contextlib.suppress(Exception):
            _shut(opened.fileno())


def _shut(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
