"""``SessionGuard`` renews plays before Django's handler, and Django's view refuses."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import uuid
from datetime import timedelta
from unittest import mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from session_limit import gateway, live_keys, registry
from session_limit.asgi import SessionGuard, database_threads, hub, renewals
from session_limit.models import DatabaseNow, Play, UserSession
from session_limit.registry import activity
from session_limit.rules import Rules
from session_limit.store import engines
from tests import stores
from tests.asgi.wire import PATIENCE, scope_of
from tests.interleavings.gates import ROW_LOCKS
from tests.stories.people import Visitor

TOKEN = "c" * 32
JSON = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
CSRF = [(b"x-csrftoken", TOKEN.encode()), (b"origin", b"http://testserver")]
USUAL = (*JSON, *CSRF)


@pytest.fixture(autouse=True)
def plays(settings):
    settings.SESSION_LIMIT, settings.SESSION_LIMIT_PLAYS = None, 1
    for memory in (live_keys._remembered, live_keys._verified, live_keys._identities):
        memory.clear()
    live_keys._waiting.clear()


@pytest.fixture
def playing(ada, laptop):
    """Return the id of the laptop's play."""
    laptop.sign_in()
    return registry.play(laptop.row).play.pk


class Answer:
    def __init__(self, sent, ran, *, reached):
        [start, *bodies] = sent
        self.status = start["status"]
        self.headers = {n.decode().lower(): v.decode() for n, v in start["headers"]}
        body = b"".join(each.get("body", b"") for each in bodies)
        is_json = self.headers.get("content-type") == "application/json"
        self.body = json.loads(body) if is_json else body
        # Whether Django's handler served the request
        self.reached = reached
        self.statements = [sql for sql in ran if "session" in sql]


def renew(visitor, play, headers=USUAL, body=b"{}", cookies=None, **scope):
    """Send the request with which a player renews a play, through ``SessionGuard``."""
    sent, ran, reached = [], [], []
    execute = CursorWrapper.execute
    django = get_asgi_application()

    async def send(message):
        sent.append(message)

    async def application(scope, receive, send):
        reached.append(True)
        await django(scope, receive, send)

    def executing(self, sql, params=None):
        ran.append(sql)
        return execute(self, sql, params)

    async def receive():
        if receive.body is None:
            await asyncio.sleep(60)
        said, receive.body = receive.body, None
        return {"type": "http.request", "body": said, "more_body": False}

    receive.body = body

    @async_to_sync
    async def ask():
        path = f"/account/sessions/plays/{play}/renew/"
        kind = scope_of(visitor, "http", path, headers) | {"method": "POST"} | scope
        jar = cookies or f"csrftoken={TOKEN}"
        kind["headers"] = [
            (name, value + b"; " + jar.encode() if name == b"cookie" else value)
            for name, value in kind["headers"]
        ]
        await SessionGuard(application)(kind, receive, send)
        await hub.current_hub().stop()

    with mock.patch.object(CursorWrapper, "execute", executing):
        ask()
    return Answer(sent, ran, reached=bool(reached))


def lease_of(play):
    return Play.objects.get(pk=play).lease_until


def shorten(play):
    """Let the lease run out soon, and return when."""
    soon = DatabaseNow() + timedelta(seconds=5)
    Play.objects.filter(pk=play).update(lease_until=soon)
    return lease_of(play)


def test_a_usual_renewal_needs_no_handler(laptop, playing):
    before = shorten(playing)
    answer = renew(laptop, playing)
    assert (answer.status, answer.reached) == (200, False)
    assert answer.body == {
        "version": 1,
        "code": "playing",
        "play": str(playing),
        "interval": 10.0,
        "lease": 30.0,
    }
    assert lease_of(playing) > before + timedelta(seconds=20)
