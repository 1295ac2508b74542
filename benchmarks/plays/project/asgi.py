"""The gateway; and beside it, what makes the same round trips and decides nothing."""

import os
from pathlib import Path

from django.core.asgi import get_asgi_application

from session_limit.asgi import SessionGuard

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.plays.project.settings"


def make_bare():
    """Return it, once Django is set up."""
    from django.conf import settings
    from django.contrib.sessions.models import Session
    from django.core.cache import caches
    from django.db import connection
    from django.http import parse_cookie
    from django.utils import timezone

    from session_limit.asgi.database_threads import DatabaseThread
    from session_limit.store import queries

    thread = DatabaseThread()
    leased = queries._leased("default", 0, "id", "session")

    def ask(sql, *parameters):
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchone()

    def round_trips(key, id, play):
        """Make those that a question needs on this engine."""
        if settings.ENGINE == "db":
            ask(queries._beside_stored("default", Session), key, timezone.now())
        else:
            if settings.ENGINE in {"cache", "cached_db"}:
                caches["default"].get(f"django.contrib.sessions.{settings.ENGINE}{key}")
            elif settings.ENGINE == "file":
                name = f"{settings.SESSION_COOKIE_NAME}{key}"
                Path(settings.SESSION_FILE_PATH, name).read_bytes()
            ask(queries._by_id("default"), id)
        if play:
            ask(leased, play, id)

    async def bare(scope, receive, send):
        headers = dict(scope["headers"])
        cookies = parse_cookie(headers[b"cookie"].decode())
        id, _, play = scope["path"].rpartition("/")[2].partition(",")
        key = cookies[settings.SESSION_COOKIE_NAME]
        await thread.run(round_trips, key, id, play)
        said = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": said})
        await send({"type": "http.response.body", "body": b""})

    return bare


guarded = SessionGuard(get_asgi_application())
bare = make_bare()


async def empty(scope, receive, send):
    """Answer at once."""
    said = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": said})
    await send({"type": "http.response.body", "body": b""})


BESIDE = {"/bare/": bare, "/empty/": empty}


async def application(scope, receive, send):
    first = "/".join(scope.get("path", "").split("/", 2)[:2]) + "/"
    await BESIDE.get(first, guarded)(scope, receive, send)
