"""Serve Django and an echoing WebSocket behind ``SessionGuard``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.db import connections

from session_limit.asgi import SessionGuard
from tests.history.project.broken import BROKEN

if TYPE_CHECKING:
    from session_limit.asgi.types import Receive, Scope, Send

django = get_asgi_application()

# These need the models, which get_asgi_application() has loaded.
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402

from session_limit import registry  # noqa: E402
from session_limit.asgi.scopes import session_key_of  # noqa: E402

if "HISTORY_BROKEN" in os.environ:
    BROKEN[os.environ["HISTORY_BROKEN"]]()


async def route(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await echo(scope, receive, send)
    elif scope["type"] == "http":
        await django(scope, receive, send)
    else:
        await lifespan(receive, send)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """
    Echo the messages of a client that is signed in, and refuse other clients.

    If a password change has just rotated the key in the cookie, the socket would be an
    anonymous one, which no ending closes.
    """
    await receive()
    if not await sync_to_async(is_signed_in, thread_sensitive=False)(scope):
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def is_signed_in(scope: Scope) -> bool:
    try:
        return registry.verify(SessionStore(session_key_of(scope))) is not None
    finally:
        connections.close_all()


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


application = SessionGuard(route)
