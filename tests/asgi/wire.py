"""Play the server's side of a connection to an application in ``SessionGuard``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

from django.conf import settings
from django.db import connections, transaction

from session_limit.asgi import SessionGuard
from session_limit.asgi.hub import current_hub
from session_limit.models import UserSession

# In seconds: how long a test waits before it fails.
PATIENCE = 5.0
ENDED = 4401


class Wire:
    """A connection, with the messages that its client sends and receives."""

    def __init__(self, application, scope):
        self.application = application
        self.scope = scope
        self.to_application = asyncio.Queue()
        self.to_client = asyncio.Queue()
        # While this is not set, the server sends nothing, as if the client read
        # nothing.
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
        """Let the application receive ``message``."""
        self.to_application.put_nowait(message)

    async def next(self):
        """Return the next message to the client."""
        return await asyncio.wait_for(self.to_client.get(), PATIENCE)

    async def is_quiet(self, seconds=0.3):
        """Return whether the client receives nothing for ``seconds``."""
        await asyncio.sleep(seconds)
        return self.to_client.empty()

    async def done(self):
        """Wait until the application has returned."""
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
    """A WebSocket that the visitor's browser opens."""

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
        """Return the close code and the reason."""
        message = await self.next()
        assert message["type"] == "websocket.close", message
        return message["code"], message.get("reason")


class Response(Wire):
    """The response to a request of the visitor's browser."""

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
        """Return the next part of the body, and whether more follows."""
        message = await self.next()
        assert message["type"] == "http.response.body", message
        return message.get("body", b""), message.get("more_body", False)


def event(part):
    """Return the name and the data of an event from its bytes."""
    fields = dict(line.split(": ", 1) for line in part.decode().strip().splitlines())
    return fields["event"], json.loads(fields["data"])


async def until(holds):
    """Wait until ``holds()`` is true."""
    for _ in range(int(PATIENCE / 0.01)):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("The condition was not met in time.")


async def verified():
    """
    Wait until the hub has verified every connection.

    From then on, a connection learns of an ending only from the bus or the sweep.
    """
    await until(lambda: current_hub()._listeners)
    await asked()


async def asked():
    """Wait until the hub has verified every session that it was asked to verify."""
    hub = current_hub()
    await until(lambda: not hub._has_work.is_set())


async def recorded():
    """Wait until the ending that the hub has found is recorded."""
    for _ in range(int(PATIENCE / 0.01)):
        if await UserSession.objects.ended().aexists():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("No ending was recorded in time.")


@contextlib.contextmanager
def locked(rows):
    """
    Lock ``rows`` in another thread, as a sign-in in a slow view does.

    The event that this yields lets the rows go earlier than the end of the context.
    """
    inside, let_go = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            assert list(rows.select_for_update())
            inside.set()
            let_go.wait(4 * PATIENCE)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert inside.wait(PATIENCE)
        yield let_go
    finally:
        let_go.set()
        thread.join()


@contextlib.asynccontextmanager
async def occupied(thread):
    """Keep this thread of the hub busy, so that further calls have to wait."""
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
    """Stop the hub at the end, so that none of its threads and tasks remain."""
    try:
        yield
    finally:
        await current_hub().stop()
