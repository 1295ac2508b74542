"""PostgreSQL's ``LISTEN`` and ``NOTIFY`` (``django-session-limit[postgres]``)."""

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

# How long a request waits for the lock that NOTIFY takes to commit: the one thing here
# that others can hold.
LOCK_TIMEOUT = "100ms"
# How often a server that says nothing is asked whether it is there, and how long it may
# take to answer, in seconds.
PING = 15.0
PATIENCE = 5.0

# What Django adds for connections of its own.
_DJANGOS = {"context", "cursor_factory", "prepare_threshold"}


class PostgresBus(Bus):
    """
    ``using``: the alias of the database, by default the one that writes the registry.
    ``channel``: the name of the channel. Others may share it: ids are hints.
    """

    crosses_processes = True

    def __init__(
        self, using: str | None = None, channel: str = "session_limit"
    ) -> None:
        self._using = using
        self.channel = channel

    @property
    def using(self) -> str:
        """The alias of the database that carries it."""
        return self._using or registry_alias()

    @property
    def address(self) -> str:
        """The server and the database, as an address without user and password."""
        server = connections[self.using].settings_dict
        host, port = server["HOST"] or "localhost", server["PORT"] or 5432
        return f"postgresql://{host}:{port}/{server['NAME']}"

    def publish(self, ids: Sequence[UUID]) -> None:
        # On the connection that has just committed, in a transaction of one statement:
        # NOTIFY is serialized with every other, from here to its commit.
        with connections[self.using].cursor() as cursor:
            for message in encode(ids):
                cursor.execute(
                    "SELECT set_config('lock_timeout', %s, true), pg_notify(%s, %s)",
                    [LOCK_TIMEOUT, self.channel, message],
                )

    async def subscribe(self) -> AsyncGenerator[Sequence[UUID] | None]:
        connection = await asyncio.wait_for(self._connect(), PATIENCE)
        try:
            listen = sql.SQL("LISTEN {}").format(sql.Identifier(self.channel))
            await _execute(connection, listen)
            yield None
            while True:
                async for notification in connection.notifies(timeout=PING):
                    yield decode(notification.payload)
                # Nothing came: is anybody there?
                await _execute(connection, sql.SQL("SELECT 1"))
        finally:
            await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        parameters: dict[str, Any] = connections[self.using].get_connection_params()
        given = {name: parameters[name] for name in parameters.keys() - _DJANGOS}
        return await psycopg.AsyncConnection.connect(**given, autocommit=True)

    def check(self) -> Iterable[checks.CheckMessage]:
        if connections[self.using].vendor != "postgresql":
            yield checks.Error(
                f'The bus is PostgreSQL\'s, and the database "{self.using}" is not.',
                hint='Name one of DATABASES that is as "using" in its OPTIONS, or take '
                "another bus.",
                id="session_limit.E024",
            )


async def _execute(
    connection: psycopg.AsyncConnection[Any], statement: sql.Composable
) -> None:
    """
    Execute ``statement``. Raises ``TimeoutError`` if the server does not answer within
    ``PATIENCE`` seconds. The caller then closes the connection.
    """
    executing = asyncio.ensure_future(connection.execute(statement))
    try:
        await asyncio.wait({executing}, timeout=PATIENCE)
        if not executing.done():
            raise TimeoutError("The server no longer answers.")
        await executing
    finally:
        # Without waiting: psycopg asks the server to cancel the statement, and waits
        # for the answer without a bound. Closing the connection ends that.
        executing.cancel()
