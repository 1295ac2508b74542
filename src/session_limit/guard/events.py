"""
The event stream of connected pages: an event when their session has ended, and when one
of its plays may have. In front of Django's handler, where a reader who waits holds
neither a thread nor a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from session_limit import payloads
from session_limit.guard.asgi import Message, Receive, Scope, Send
from session_limit.guard.connection import LINGER
from session_limit.guard.hub import current_hub
from session_limit.guard.requests import is_at
from session_limit.navigation import EVENTS_VIEW

logger = logging.getLogger("session_limit")

# In seconds: between two signs of life, and how long a stream may live, so that a
# server that is to stop need not wait for it longer.
HEARTBEAT = 15.0
LIFE = 30.0, 60.0
# In milliseconds: when a page asks again whose stream has come to its end.
RETRY = 2000

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would keep it to itself.
    (b"x-accel-buffering", b"no"),
]


def is_asked_for(scope: Scope) -> bool:
    """Whether this is a request for the stream, at the address of ``reverse()``."""
    if scope["method"] != "GET" or not scope["path"].endswith("/events/"):
        return False
    return is_at(scope, EVENTS_VIEW, "/events/")


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the stream of the session whose cookie ``scope`` carries."""
    if _is_foreign(scope):
        await _answer(send, HTTPStatus.FORBIDDEN)
        return
    hub = current_hub()
    try:
        who = await hub.identify(scope)
    except Exception:
        logger.exception("Whose event stream this is could not be found out.")
        await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE)
        return
    news = _News()
    if who.reason is not None:
        news.ended.set_result(who.reason)
    elif who.id is None:
        await _answer(send, HTTPStatus.NO_CONTENT)
        return

    if who.id is not None:
        hub.join(who.id, news.tell)
        hub.verify(who.id)
    try:
        await _stream(receive, send, news)
    finally:
        if who.id is not None:
            hub.leave(who.id, news.tell)


class _News:
    """What the hub tells of a session: it goes on, and something of it has; its end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.changed: asyncio.Future[None] = self._loop.create_future()

    def tell(self, reason: str | None) -> None:
        if reason is None and not self.changed.done():
            self.changed.set_result(None)
        elif reason is not None and not self.ended.done():
            self.ended.set_result(reason)

    def last_words(self) -> str:
        """Return what a stream ends with that has come to its end."""
        return _ended(self.ended.result()) if self.ended.done() else ""

    def take_change(self) -> bool:
        """Whether anything has changed since this was last asked."""
        has_changed = self.changed.done()
        if has_changed:
            self.changed = self._loop.create_future()
        return has_changed


async def _stream(receive: Receive, send: Send, news: _News) -> None:
    gone = asyncio.ensure_future(_gone(receive))
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(*LIFE)):  # noqa: S311 no secret
                await _wait(send, gone, news)
        if not gone.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await _say(send, news.last_words())
    finally:
        gone.cancel()


async def _wait(send: Send, gone: asyncio.Future[None], news: _News) -> None:
    """Keep the stream open until the client has gone or the session has ended."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    live = json.dumps({"version": payloads.VERSION})
    text = f"retry: {RETRY}\nevent: live\ndata: {live}\n\n"
    while not gone.done() and not news.ended.done():
        await _say(send, text, more=True)
        any_: list[asyncio.Future[Any]] = [gone, news.ended, news.changed]
        await asyncio.wait(any_, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
        has_changed = news.take_change()
        text = f"event: changed\ndata: {live}\n\n" if has_changed else ":\n\n"


def _ended(reason: str) -> str:
    ended = {
        "version": payloads.VERSION,
        "code": "session_ended",
        "reason": reason or None,
    }
    return f"event: ended\ndata: {json.dumps(ended)}\n\n"


async def _say(send: Send, text: str, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


async def _gone(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def _answer(send: Send, status: HTTPStatus) -> None:
    headers = [(b"cache-control", b"no-store")]
    await send(
        {"type": "http.response.start", "status": status.value, "headers": headers}
    )
    await _say(send, "")


def _is_foreign(scope: Scope) -> bool:
    """
    Whether another site's page asks. It could not read the answer, but would learn of
    its end.
    """
    headers = dict(scope["headers"])
    site = headers.get(b"sec-fetch-site", b"none")
    host = headers.get(b"host", b"").decode("latin1")
    origin = headers.get(b"origin", f"//{host}".encode("latin1")).decode("latin1")
    return site not in {b"same-origin", b"none"} or urlsplit(origin).netloc != host
