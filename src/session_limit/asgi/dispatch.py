"""Choose whether this package or the wrapped application serves a connection."""

from __future__ import annotations

import functools

from django.conf import settings

from session_limit import url_matching
from session_limit.asgi import event_stream, gateway, renewals, streaming, websockets
from session_limit.asgi.hub import current_hub
from session_limit.asgi.scopes import find_below, session_key_of, with_one_cookie_header
from session_limit.asgi.types import Application, Message, Receive, Scope, Send


async def serve(
    application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """
    Serve an HTTP request, a WebSocket or the server's lifespan events.

    This package answers reverse proxies, serves the event stream and renews plays.
    ``application`` serves all other connections. WebSockets and streams close when
    their session ends.
    """
    kind, below = scope["type"], None
    if kind in {"http", "websocket"}:
        scope = with_one_cookie_header(scope)
    elif kind == "lifespan":
        receive = functools.partial(_receive_and_stop_hub, receive)
    if kind == "http":
        below = find_below(scope, url_matching.GATEWAY)
    if below is not None:
        await gateway.serve(scope, receive, send, is_below=bool(below))
    elif kind == "http" and event_stream.is_asked_for(scope):
        await event_stream.serve(scope, receive, send)
    elif kind == "http" and await renewals.serve(scope, send):
        return
    elif kind == "http" and _has_session_cookie(scope):
        await streaming.serve(application, scope, receive, send)
    elif kind == "websocket" and session_key_of(scope) is not None:
        await websockets.serve(application, scope, receive, send)
    else:
        await application(scope, receive, send)


async def _receive_and_stop_hub(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "lifespan.shutdown":
        await current_hub().stop()
    return message


def _has_session_cookie(scope: Scope) -> bool:
    wanted = settings.SESSION_COOKIE_NAME.encode("latin1")
    return any(
        name == b"cookie" and wanted in value for name, value in scope["headers"]
    )
