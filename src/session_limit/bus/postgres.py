"""Notify processes of ended sessions with PostgreSQL's ``LISTEN`` and ``NOTIFY``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from django.core import checks
from django.db import connections
from psycopg import sql

from session_limit.bus.base import Bus
from session_limit.bus.messages import decode, encode
from session_limit.models import registry_alias

# How long a request waits for the lock that a commit after NOTIFY takes. Nothing else
# here makes a request wait.
LOCK_TIMEOUT = "100ms"
# After how many seconds of silence the subscriber asks the server for an answer, and
# how many seconds the server may take to connect or to answer.
PING = 15.0
PATIENCE = 5.0


class PostgresBus(Bus):
    """
    A message bus that uses a PostgreSQL database and needs no other broker.

    ``using`` is the alias of the database, and defaults to the alias for writes to the
    ``UserSession`` table. ``channel`` is the name of the notification channel, which
    other projects may share. Each process with open pages keeps one additional
    connection to the database. Install ``django-session-limit[postgres]``, and set::

        SESSION_LIMIT_BUS = {"BACKEND": "session_limit.bus.postgres.PostgresBus"}
    """

    crosses_processes = True

    def __init__(
        self, using: str | None = None, channel: str = "session_limit"
    ) -> None:
        self._using = using
        self.channel = channel

    @property
    def using(self) -> str:
        """Return the alias of the database that carries the messages."""
        return self._using or registry_alias()

    @property
    def address(self) -> str:
        """Return the URL of the PostgreSQL database, without user name and password."""
        server = connections[self.using].settings_dict
        host, port = server["HOST"] or "localhost", server["PORT"] or 5432
        return f"postgresql://{host}:{port}/{server['NAME']}"

    def publish(self, ids: Sequence[UUID]) -> None:
        # Use a transaction of one statement, because PostgreSQL lets only one
        # transaction with a NOTIFY commit at a time.
        with connections[self.using].cursor() as cursor:
            for message in encode(ids):
                cursor.execute(
                    "SELECT set_config('lock_timeout', %s, true), pg_notify(%s, %s)",
                    [LOCK_TIMEOUT, self.channel, message],
                )

    async def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        parameters: dict[str, Any] = connections[self.using].get_connection_params()
        for only_for_django in ("context", "cursor_factory", "prepare_threshold"):
            parameters.pop(only_for_django, None)
        connecting = psycopg.AsyncConnection.connect(**parameters, autocommit=True)
        connection = await asyncio.wait_for(connecting, PATIENCE)
        try:
            listen = sql.SQL("LISTEN {}").format(sql.Identifier(self.channel))
            await _execute(connection, listen)
            yield None
            while True:
                async for notification in connection.notifies(timeout=PING):
                    yield decode(notification.payload)
                # Raises if a server that has been silent does not answer.
                await _execute(connection, sql.SQL("SELECT 1"))
        finally:
            await connection.close()

    def check(self) -> Iterable[checks.CheckMessage]:
        if self.using not in connections:
            yield checks.Error(
                f'SESSION_LIMIT_BUS uses the database "{self.using}", which DATABASES '
                "does not define.",
                hint='Set "using" in its OPTIONS to an alias in DATABASES.',
                id="session_limit.E038",
            )
        elif connections[self.using].vendor != "postgresql":
            yield checks.Error(
                f'SESSION_LIMIT_BUS is PostgresBus, but the database "{self.using}" '
                "is not PostgreSQL.",
                hint='Set "using" in its OPTIONS to the alias of a PostgreSQL '
                "database, or choose another bus.",
                id="session_limit.E024",
            )


async def _execute(
    connection: psycopg.AsyncConnection[Any], statement: sql.Composable
) -> None:
    """
    Execute ``statement``, or raise ``TimeoutError`` after ``PATIENCE`` seconds.

    The caller must close the connection after a ``TimeoutError``.
    """
    executing = asyncio.ensure_future(connection.execute(statement))
    try:
        await asyncio.wait({executing}, timeout=PATIENCE)
        if not executing.done():
            raise TimeoutError("The server no longer answers.")
        await executing
    finally:
        # Do not wait for the cancelled task. psycopg asks the server to cancel the
        # statement, and waits for an answer without a time limit. Closing the
        # connection ends that wait.
        executing.cancel()
