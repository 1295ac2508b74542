"""Choose what serves a connection: a part of this package, or the application."""

from __future__ import annotations

from django.conf import settings

from session_limit import url_matching
from session_limit.asgi import event_stream, gateway, streaming, websockets
from session_limit.asgi.hub import current_hub
from session_limit.asgi.scopes import find_below, session_key_of, with_one_cookie_header
from session_limit.asgi.types import Application, Message, Receive, Scope, Send


async def serve(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve one HTTP request or WebSocket, or the lifespan of the server."""
    kind = scope["type"]
    if kind == "http":
        await _serve_http(application, with_one_cookie_header(scope), receive, send)
    elif kind == "websocket":
        scope = with_one_cookie_header(scope)
        if session_key_of(scope) is None:
            await application(scope, receive, send)
        else:
            await websockets.serve(application, scope, receive, send)
    elif kind == "lifespan":
        await _serve_lifespan(application, scope, receive, send)
    else:
        await application(scope, receive, send)


async def _serve_http(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    below = find_below(scope, url_matching.GATEWAY)
    if below is not None:
        await gateway.serve(scope, receive, send, is_below=bool(below))
    elif event_stream.is_asked_for(scope):
        await event_stream.serve(scope, receive, send)
    elif _has_session_cookie(scope):
        await streaming.serve(application, scope, receive, send)
    else:
        await application(scope, receive, send)


async def _serve_lifespan(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    async def receive_and_stop_hub() -> Message:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await current_hub().stop()
        return message

    await application(scope, receive_and_stop_hub, send)


def _has_session_cookie(scope: Scope) -> bool:
    wanted = settings.SESSION_COOKIE_NAME.encode("latin1")
    return any(
        name == b"cookie" and wanted in value for name, value in scope["headers"]
    )
