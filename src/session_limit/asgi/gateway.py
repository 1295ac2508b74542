"""Answer reverse proxies that ask whether their client has a live session."""

from __future__ import annotations

import functools

from session_limit import gateway
from session_limit.asgi.answering import answer, encoded
from session_limit.asgi.disconnects import ClientDisconnected, Inbox
from session_limit.asgi.hub import current_hub
from session_limit.asgi.scopes import cookies_of, request_of
from session_limit.asgi.types import Receive, Scope, Send
from session_limit.store import identification


async def serve(scope: Scope, receive: Receive, send: Send, *, is_below: bool) -> None:
    """
    Answer a reverse proxy that asks whether its client has a live session.

    The module ``session_limit.gateway`` decides the answer for all HTTP methods.
    ``is_below`` is true if the path continues after the gateway's URL. After an error,
    the answer is never 200, because the proxy would then admit its client.
    """
    query = scope["query_string"].decode("latin1")
    verdict = gateway.question(cookies_of(scope), query, is_below=is_below)
    if isinstance(verdict, gateway.Question):
        with Inbox(receive) as inbox:
            try:
                verdict = await inbox.run_unless_disconnected(_judge(verdict, scope))
            except ClientDisconnected:
                return
    await answer(send, verdict.status, encoded(verdict.headers), verdict.body)


async def _judge(question: gateway.Question, scope: Scope) -> gateway.Verdict:
    request = functools.partial(request_of, scope)
    hub = current_hub()
    try:
        if not identification.is_known(question.key):
            # Clients can invent session keys. A separate thread checks unknown keys, so
            # that invented keys delay neither known sessions nor writes.
            reading = question.without_writes
            verdict = await hub.strangers.run(gateway.judge, reading, request)
            if not question.writes or not identification.is_known(question.key):
                return verdict
        thread = hub.renewing if question.writes else hub.judging
        return await thread.run(gateway.judge, question, request)
    except Exception as error:  # noqa: BLE001 logged
        gateway.FAILURE.log(error)
        return gateway.UNAVAILABLE
