"""
Serve the project under ``SessionGuard``, and applications to compare it with.

These are a Channels consumer, and ASGI applications that decide nothing.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.cache import caches
from django.db import connection
from django.http import parse_cookie

from benchmarks.project.recording import Statement, recorded

django_application = get_asgi_application()

from benchmarks.project import views  # noqa: E402 they need the apps
from session_limit import bus  # noqa: E402
from session_limit.asgi import SessionGuard  # noqa: E402
from session_limit.asgi.database_threads import DatabaseThread  # noqa: E402
from session_limit.signals import session_ended  # noqa: E402

guarded = SessionGuard(django_application)
publish = bus.publish


def published(ids: Any) -> None:
    """
    Record the time, directly after an ending was committed, and publish the ending.
    """
    views.committed.at = time.monotonic_ns()
    publish(ids)


bus.publish = published


async def answer(send: Any) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def empty(scope: Any, receive: Any, send: Any) -> None:
    """Respond at once with an empty body."""
    await answer(send)


class Bare:
    """
    An application with the gateway's database queries that decides nothing.

    It runs the SQL statements of a gateway request for a live session that the gateway
    already knows, in the same kind of thread. It records them once, and repeats them
    with the values of each request.
    """

    def __init__(self) -> None:
        self._thread = DatabaseThread()
        self._lock = asyncio.Lock()
        # The key is whether the request names a play.
        self._recorded: dict[bool, tuple[list[Any], list[Statement]]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        key = parse_cookie(headers[b"cookie"].decode())[settings.SESSION_COOKIE_NAME]
        asked = parse_qs(scope["query_string"].decode())
        values = [key, *(UUID(asked[n][0]) for n in ("session", "play") if n in asked)]
        play = asked["play"][0] if "play" in asked else ""
        async with self._lock:
            if bool(play) not in self._recorded:
                found = values, await self._record(scope, receive, play)
                self._recorded[bool(play)] = found
        await self._thread.run(self._round_trips, values, play=bool(play))
        await answer(send)

    async def _record(self, scope: Any, receive: Any, play: str) -> list[Statement]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        query = f"play={play}" if play else ""
        asks = {"path": "/account/sessions/gateway/", "query_string": query.encode()}
        # Only the first request with a session also reads the account.
        await guarded(scope | asks, receive, send)
        sent.clear()
        with recorded() as statements:
            await guarded(scope | asks, receive, send)
        assert sent[0]["status"] == 200, sent
        assert statements
        return statements

    def _round_trips(self, values: list[Any], *, play: bool) -> None:
        key = values[0]
        if settings.ENGINE in {"cache", "cached_db"}:
            caches["default"].get(f"django.contrib.sessions.{settings.ENGINE}{key}")
        elif settings.ENGINE == "file":
            name = f"{settings.SESSION_COOKIE_NAME}{key}"
            Path(settings.SESSION_FILE_PATH, name).read_bytes()
        first, statements = self._recorded[play]
        own = dict(zip(first, values, strict=True))
        for sql, parameters in statements:
            with connection.cursor() as cursor:
                cursor.execute(sql, [own.get(each, each) for each in parameters])
                if cursor.description is not None:
                    cursor.fetchone()


BESIDE = {"bare": Bare(), "empty": empty}


async def application(scope: Any, receive: Any, send: Any) -> None:
    name = scope.get("path", "").partition("/")[2].rstrip("/")
    await BESIDE.get(name, guarded)(scope, receive, send)


if settings.BUS == "channels":
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.layers import get_channel_layer
    from channels.routing import ProtocolTypeRouter
    from channels.sessions import SessionMiddlewareStack

    class Page(AsyncWebsocketConsumer):
        """The WebSocket of a page that waits for the end of its session."""

        async def connect(self) -> None:
            id = await self.scope["session"].aget("_session_limit_id")
            self.group = f"session_{id}"
            await self.channel_layer.group_add(self.group, self.channel_name)
            await self.accept()
            await self.send("live")

        async def disconnect(self, code: int) -> None:
            await self.channel_layer.group_discard(self.group, self.channel_name)

        async def ended(self, event: Any) -> None:
            await self.send("ended")

    def tell_group(session: Any, **kwargs: Any) -> None:
        send = async_to_sync(get_channel_layer().group_send)
        send(f"session_{session.pk.hex}", {"type": "ended"})

    session_ended.connect(tell_group)
    application = ProtocolTypeRouter(
        {
            "http": django_application,
            "websocket": SessionMiddlewareStack(Page.as_asgi()),
        }
    )
