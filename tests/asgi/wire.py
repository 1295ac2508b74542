"""A server's side of an application under the guard: one connection, in this loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

from django.conf import settings

from session_limit.asgi import SessionGuard
from session_limit.asgi.hub import current_hub
from session_limit.models import UserSession

# In seconds: what takes longer does not come.
PATIENCE = 5.0
ENDED = 4401


class Wire:
    """What a client sends to an application, and what it gets."""

    def __init__(self, application, scope):
        self.application = application
        self.scope = scope
        self.to_application = asyncio.Queue()
        self.to_client = asyncio.Queue()
        # The server sends nothing while this is not set, as when nobody reads.
        self.flows = asyncio.Event()
        self.flows.set()

    async def __aenter__(self):
        run = self.application(self.scope, self.to_application.get, self.send)
        self.task = asyncio.ensure_future(run)
        return self

    async def __aexit__(self, *error):
        if not self.task.done():
            self.hear({"type": f"{self.kind}.disconnect", "code": 1000})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.task), 2)
            self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    @property
    def kind(self):
        return self.scope["type"]

    async def send(self, message):
        await self.flows.wait()
        self.to_client.put_nowait(message)

    def hear(self, message):
        """Have the application receive ``message``."""
        self.to_application.put_nowait(message)

    async def next(self):
        """Return what the client gets next."""
        return await asyncio.wait_for(self.to_client.get(), PATIENCE)

    async def is_quiet(self, seconds=0.3):
        """Whether the client gets nothing for so long."""
        await asyncio.sleep(seconds)
        return self.to_client.empty()

    async def done(self):
        """Wait until the application has done."""
        await asyncio.wait_for(asyncio.shield(self.task), PATIENCE)


def cookie_of(visitor):
    return f"{settings.SESSION_COOKIE_NAME}={visitor.cookie}".encode()


def scope_of(visitor, kind, path, headers=()):
    cookies = [(b"cookie", cookie_of(visitor))] if visitor.cookie else []
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "client": ("192.0.2.7", 40000),
        "server": ("testserver", 80),
        "subprotocols": [],
        "headers": [
            (b"host", b"testserver"),
            (b"user-agent", visitor.user_agent.encode()),
            *cookies,
            *headers,
        ],
    }


class Socket(Wire):
    """A WebSocket that this browser opens."""

    def __init__(self, application, visitor, **scope):
        kind = scope_of(visitor, "websocket", "/socket/") | scope
        super().__init__(SessionGuard(application), kind)

    async def __aenter__(self):
        await super().__aenter__()
        self.hear({"type": "websocket.connect"})
        return self

    async def accepted(self):
        message = await self.next()
        assert message["type"] == "websocket.accept", message
        return message

    async def closed(self):
        """Return the code and the reason with which it is closed."""
        message = await self.next()
        assert message["type"] == "websocket.close", message
        return message["code"], message.get("reason")


class Response(Wire):
    """The response to a request of this browser."""

    def __init__(self, application, visitor, path="/", headers=(), **scope):
        kind = scope_of(visitor, "http", path, headers) | scope
        super().__init__(SessionGuard(application), kind)

    async def __aenter__(self):
        await super().__aenter__()
        self.hear({"type": "http.request", "body": b"", "more_body": False})
        return self

    async def started(self):
        message = await self.next()
        assert message["type"] == "http.response.start", message
        return message

    async def body(self):
        """Return the next part of the body, and whether more comes."""
        message = await self.next()
        assert message["type"] == "http.response.body", message
        return message.get("body", b""), message.get("more_body", False)


def event(part):
    """Return the name and the data of an event as it is sent."""
    fields = dict(line.split(": ", 1) for line in part.decode().strip().splitlines())
    return fields["event"], json.loads(fields["data"])


async def until(holds):
    """Wait until this holds."""
    for _ in range(int(PATIENCE / 0.01)):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("It does not come.")


async def verified():
    """
    Wait until everybody who is connected has been verified: from then on, only what
    tells of endings tells them.
    """
    await until(lambda: current_hub()._listeners)
    await asked()


async def asked():
    """Wait until the hub has read whatever it has been given to verify by now."""
    hub = current_hub()
    await until(lambda: not hub._something.is_set())


async def recorded():
    """Wait until an ending has been written that nobody but the hub has found."""
    for _ in range(int(PATIENCE / 0.01)):
        if await UserSession.objects.ended().aexists():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("It is not recorded.")


@contextlib.asynccontextmanager
async def occupied(thread):
    """Keep this thread of the hub busy, so that what it is given has to wait."""
    held, busy = threading.Event(), threading.Event()

    def hold():
        busy.set()
        held.wait(PATIENCE)

    holding = asyncio.create_task(thread.run(hold))
    try:
        await until(busy.is_set)
        yield
    finally:
        held.set()
        await holding


@contextlib.asynccontextmanager
async def hub_stopped():
    """Leave no thread and no task of the hub behind."""
    try:
        yield
    finally:
        await current_hub().stop()
