"""The example site and some sockets in ``SessionGuard``, for the servers to serve."""

import asyncio
import os
import time

from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application

from session_limit.asgi import SessionGuard

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.browser.settings")

django_application = get_asgi_application()


async def sockets(scope, receive, send):
    """Do what the path says: echo, send without end, block a thread, or nothing."""
    await receive()
    await send({"type": "websocket.accept"})
    match scope["path"]:
        case "/echo/":
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
        case "/sending/":
            while True:
                await send({"type": "websocket.send", "text": "tick"})
                await asyncio.sleep(0.01)
        case "/stuck/":
            await sync_to_async(time.sleep, thread_sensitive=False)(3)
        case _:
            await asyncio.Event().wait()


async def route(scope, receive, send):
    """Route as Channels does: WebSockets to one application, the rest to Django."""
    serve = sockets if scope["type"] == "websocket" else django_application
    await serve(scope, receive, send)


application = SessionGuard(route)

# A test may set how many seconds an event stream lives.
from session_limit.asgi import event_stream  # noqa: E402 the apps are loaded by now

if "LIFE" in os.environ:
    event_stream.LIFE = (float(os.environ["LIFE"]),) * 2
