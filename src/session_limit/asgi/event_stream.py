"""
Serve the event stream that notifies an open page when its session ends.

The page also gets an event when a playback in this session may have ended. The stream
bypasses Django's handler, so an open page needs neither a thread nor a database
connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from http import HTTPStatus
from typing import Any

from session_limit import url_matching
from session_limit.asgi.answering import answer
from session_limit.asgi.connection import LINGER
from session_limit.asgi.disconnects import ClientDisconnected, Inbox
from session_limit.asgi.hub import current_hub
from session_limit.asgi.scopes import find_below
from session_limit.asgi.shutdown import shutdown
from session_limit.asgi.types import Receive, Scope, Send
from session_limit.pages import json_answers
from session_limit.utils.log_once import RateLimitedLog

_FAILURE = RateLimitedLog(
    "The session of an event stream could not be identified. Its page tries again."
)

# After how many seconds an idle stream sends a comment, and how many seconds it lasts.
# A server that stops without notice waits for its streams to end: see shutdown.py.
HEARTBEAT = 15.0
LIFE = 30.0, 60.0
# How many milliseconds a page waits before it opens the next stream. The time is
# random, so that the pages of a server that has stopped do not all reconnect at once.
RETRY = 1000, 5000
# After how many seconds a page tries again if its session could not be read.
RETRY_AFTER = 1, 5

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # By default nginx buffers a response until it ends.
    (b"x-accel-buffering", b"no"),
]


def is_asked_for(scope: Scope) -> bool:
    """Return whether ``scope`` is a ``GET`` request for this package's event stream."""
    return scope["method"] == "GET" and find_below(scope, url_matching.EVENTS) == ""


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """
    Serve the event stream that notifies an open page when its session ends.

    Answers 204 to a request without a session, so that the page stops reconnecting.
    Answers 403 to a page of another site, and 503 if the session could not be read.
    """
    if _is_foreign(scope):
        await _answer(send, HTTPStatus.FORBIDDEN)
        return
    hub = current_hub()
    with Inbox(receive) as inbox:
        try:
            who = await inbox.run_unless_disconnected(hub.identify(scope))
        except ClientDisconnected:
            return
        except Exception as error:  # noqa: BLE001 logged
            _FAILURE.log(error)
            wait = str(random.randint(*RETRY_AFTER)).encode()  # noqa: S311 no secret
            status = HTTPStatus.SERVICE_UNAVAILABLE
            await _answer(send, status, (b"retry-after", wait))
            return
        if who.reason is None and who.id is None:
            await _answer(send, HTTPStatus.NO_CONTENT)
            return
        updates = _Updates(who.reason)
        if who.id is not None:
            hub.join(who.id, updates.note, who.tenant)
            hub.verify(who.id)
        try:
            await _stream(inbox.receive, send, updates)
        finally:
            if who.id is not None:
                hub.leave(who.id, updates.note)


class _Updates:
    """The changes to a session that an event stream has not yet sent to its page."""

    def __init__(self, reason: str | None) -> None:
        # Why the session has ended, or None while it is live.
        self.reason = reason
        self.has_changed = False
        self.arrived = asyncio.Event()

    def note(self, reason: str | None) -> None:
        """Store why the session ended. Pass ``None`` if only a play may have ended."""
        if reason is None:
            self.has_changed = True
        elif self.reason is None:
            self.reason = reason
        self.arrived.set()


async def _stream(receive: Receive, send: Send, updates: _Updates) -> None:
    disconnect = asyncio.ensure_future(_wait_for_disconnect(receive))
    stopping = shutdown.begins()
    for stop in (disconnect, stopping):
        stop.add_done_callback(lambda _: updates.arrived.set())
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(*LIFE)):  # noqa: S311 no secret
                await _wait(send, updates, disconnect, stopping)
        if not disconnect.done():
            text, reason = "", updates.reason
            if reason is not None:
                text = _event("ended", code="session_ended", reason=reason or None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await _send_body(send, text)
    finally:
        disconnect.cancel()
        stopping.cancel()


async def _wait(send: Send, updates: _Updates, *stops: asyncio.Future[None]) -> None:
    """Send events until the session ends or one of the futures in ``stops`` is done."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    text = f"retry: {random.randint(*RETRY)}\n" + _event("live")  # noqa: S311 no secret
    while updates.reason is None:
        await _send_body(send, text, more=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT):
                await updates.arrived.wait()
        if any(each.done() for each in stops):
            return
        text = _event("changed") if updates.has_changed else ":\n\n"
        updates.has_changed = False
        updates.arrived.clear()


def _event(name: str, **data: Any) -> str:
    content = json.dumps(json_answers.envelope(**data))
    return f"event: {name}\ndata: {content}\n\n"


async def _send_body(send: Send, text: str, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(
    send: Send, status: HTTPStatus, *more_headers: tuple[bytes, bytes]
) -> None:
    await answer(send, status, [(b"cache-control", b"no-store"), *more_headers])


def _is_foreign(scope: Scope) -> bool:
    """Return whether ``scope`` is a request from a page of another site."""
    # Such a page could not read the event stream, but could notice when it ends.
    headers = dict(scope["headers"])
    site = headers.get(b"sec-fetch-site", b"none")
    host = headers.get(b"host", b"")
    # Compare bytes, because a function that parses an origin may raise.
    _, _, asking = headers.get(b"origin", b"://" + host).partition(b"://")
    return site not in {b"same-origin", b"none"} or asking != host
