"""Django behind ``SessionGuard``, and a WebSocket that answers what it is sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from django.core.asgi import get_asgi_application

from session_limit.guard import SessionGuard
from tests.history.project.broken import BROKEN

if TYPE_CHECKING:
    from session_limit.guard.asgi import Receive, Scope, Send

django = get_asgi_application()
if "HISTORY_BROKEN" in os.environ:
    BROKEN[os.environ["HISTORY_BROKEN"]]()


async def route(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        await django(scope, receive, send)
    else:
        await lifespan(receive, send)


async def echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


application = SessionGuard(route)
