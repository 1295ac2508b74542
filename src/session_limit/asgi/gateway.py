"""Answer the gateway's questions under ASGI. ``session_limit.gateway`` decides."""

from __future__ import annotations

import functools

from session_limit import gateway
from session_limit.asgi.disconnects import Gone, Inbox
from session_limit.asgi.hub import current_hub
from session_limit.asgi.scopes import cookies_of, request_of
from session_limit.asgi.types import Receive, Scope, Send
from session_limit.store import identification


async def serve(scope: Scope, receive: Receive, send: Send, *, is_below: bool) -> None:
    """
    Answer one question, asked with any method. ``is_below`` says that a path follows
    the gateway's address. No failure is answered with 200.
    """
    query = scope["query_string"].decode("latin1")
    verdict = gateway.question(cookies_of(scope), query, is_below=is_below)
    if isinstance(verdict, gateway.Question):
        with Inbox(receive) as inbox:
            try:
                verdict = await inbox.unless_gone(_judge(verdict, scope))
            except Gone:
                return
    headers = [
        (name.lower().encode("latin1"), value.encode("latin1"))
        for name, value in verdict.headers
    ]
    status = verdict.status.value
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": verdict.body})


async def _judge(question: gateway.Question, scope: Scope) -> gateway.Verdict:
    request = functools.partial(request_of, scope)
    hub = current_hub()
    try:
        if not identification.is_known(question.key):
            # Ask first whether an unknown cookie belongs to a live session. Clients can
            # invent cookies, which must delay neither known sessions nor writes.
            reading = question.without_writes
            verdict = await hub.strangers.run(gateway.judge, reading, request)
            if not question.writes or not identification.is_known(question.key):
                return verdict
        thread = hub.renewing if question.writes else hub.judging
        return await thread.run(gateway.judge, question, request)
    except Exception as error:  # noqa: BLE001 logged
        gateway.FAILURE.log(error)
        return gateway.UNAVAILABLE
