"""Ask the gateway within the event loop of a test."""

from __future__ import annotations

from django.core.asgi import get_asgi_application

from session_limit.asgi import SessionGuard
from tests.asgi.wire import scope_of

ADDRESS = "/account/sessions/gateway/"


async def gateway_status(visitor, query=""):
    """Return the status of the gateway's answer to this browser."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = scope_of(visitor, "http", ADDRESS) | {"query_string": query.encode()}
    await SessionGuard(get_asgi_application())(scope, None, send)
    return sent[0]["status"]
