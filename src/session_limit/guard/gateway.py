"""The gateway, in front of Django's handler: see ``session_limit.gateway``."""

from __future__ import annotations

import functools
import logging

from session_limit import gateway
from session_limit.guard.asgi import Scope, Send
from session_limit.guard.hub import current_hub
from session_limit.guard.requests import is_at, request_of
from session_limit.navigation import GATEWAY_VIEW

logger = logging.getLogger("session_limit")


def is_asked(scope: Scope) -> bool:
    """Whether this is a question: any method, and whatever is below its address."""
    return is_at(scope, GATEWAY_VIEW, gateway.ENDING)


async def serve(scope: Scope, send: Send) -> None:
    """Answer it. Whatever fails is no yes."""
    verdict = await _judge(scope)
    headers = [
        (name.lower().encode("latin1"), value.encode("latin1"))
        for name, value in verdict.headers
    ]
    status = verdict.status.value
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": verdict.body})


async def _judge(scope: Scope) -> gateway.Verdict:
    cookies = "; ".join(
        value.decode("latin1") for name, value in scope["headers"] if name == b"cookie"
    )
    question = gateway.question(cookies, scope["query_string"].decode("latin1"))
    if question is None:
        return gateway.NOT_SIGNED_IN
    request = functools.partial(request_of, scope)
    hub = current_hub()
    thread = hub.renewing if question.writes else hub.judging
    try:
        return await thread.run(gateway.judge, question, request)
    except Exception:
        logger.exception("The gateway could not find out whose session this is.")
        return gateway.UNAVAILABLE
