"""What asks the gateway within a test's event loop."""

from __future__ import annotations

from session_limit.asgi import SessionGuard
from tests.asgi.wire import scope_of

ADDRESS = "/account/sessions/gateway/"


async def gateway_status(visitor, query=""):
    """Return the status with which the gateway answers this browser's question."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = scope_of(visitor, "http", ADDRESS) | {"query_string": query.encode()}
    await SessionGuard(None)(scope, None, send)
    return sent[0]["status"]
