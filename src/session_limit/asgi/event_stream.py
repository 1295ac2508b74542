"""
The event stream of connected pages: an event when their session has ended, and when one
of its plays may have. In front of Django's handler, where a reader who waits holds
neither a thread nor a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from http import HTTPStatus
from typing import Any

from session_limit import url_matching
from session_limit.asgi.connection import LINGER
from session_limit.asgi.disconnects import Gone, Inbox
from session_limit.asgi.hub import current_hub
from session_limit.asgi.scopes import find_below
from session_limit.asgi.shutdown import shutdown
from session_limit.asgi.types import Message, Receive, Scope, Send
from session_limit.pages import json_answers
from session_limit.utils.log_once import RateLimitedLog

_FAILURE = RateLimitedLog(
    "The session of an event stream could not be identified. Its page asks again."
)

# In seconds: the pause between two comments, and how long a stream may last. The latter
# bounds the wait of a server that stops without notice: see shutdown.py.
HEARTBEAT = 15.0
LIFE = 30.0, 60.0
# In milliseconds: how long a page waits before it opens the next stream. At random, so
# that the pages of a server that has stopped do not all come at once.
RETRY = 1000, 5000
# In seconds: when to ask again if the session could not be read.
RETRY_AFTER = 1, 5

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would keep it to itself.
    (b"x-accel-buffering", b"no"),
]


def is_asked_for(scope: Scope) -> bool:
    """Return whether this is a request for the stream, at its exact address."""
    return scope["method"] == "GET" and find_below(scope, url_matching.EVENTS) == ""


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the event stream of the session whose cookie is in ``scope``."""
    if _is_foreign(scope):
        await _answer(send, HTTPStatus.FORBIDDEN)
        return
    with Inbox(receive) as inbox:
        await _serve(scope, inbox, send)


async def _serve(scope: Scope, inbox: Inbox, send: Send) -> None:
    hub = current_hub()
    try:
        who = await inbox.unless_gone(hub.identify(scope))
    except Gone:
        return
    except Exception as error:  # noqa: BLE001 logged
        _FAILURE.log(error)
        wait = (b"retry-after", str(random.randint(*RETRY_AFTER)).encode())  # noqa: S311
        await _answer(send, HTTPStatus.SERVICE_UNAVAILABLE, wait)
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
        await _stream(inbox.receive, send, news)
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
    gone, stopping = asyncio.ensure_future(_gone(receive)), shutdown.begins()
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(*LIFE)):  # noqa: S311 no secret
                await _wait(send, news, gone, stopping)
        if not gone.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await _say(send, news.last_words())
    finally:
        gone.cancel()
        stopping.cancel()


async def _wait(send: Send, news: _News, *over: asyncio.Future[None]) -> None:
    """Keep the stream open until the session has ended or one of ``over`` is done."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    live = json.dumps(json_answers.envelope())
    retry = random.randint(*RETRY)  # noqa: S311 no secret
    text = f"retry: {retry}\nevent: live\ndata: {live}\n\n"
    while not news.ended.done():
        await _say(send, text, more=True)
        any_: list[asyncio.Future[Any]] = [*over, news.ended, news.changed]
        await asyncio.wait(any_, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
        if any(each.done() for each in over):
            return
        has_changed = news.take_change()
        text = f"event: changed\ndata: {live}\n\n" if has_changed else ":\n\n"


def _ended(reason: str) -> str:
    ended = json_answers.envelope("session_ended", reason=reason or None)
    return f"event: ended\ndata: {json.dumps(ended)}\n\n"


async def _say(send: Send, text: str, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


async def _gone(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def _answer(
    send: Send, status: HTTPStatus, *more_headers: tuple[bytes, bytes]
) -> None:
    headers = [(b"cache-control", b"no-store"), *more_headers]
    await send(
        {"type": "http.response.start", "status": status.value, "headers": headers}
    )
    await _say(send, "")


def _is_foreign(scope: Scope) -> bool:
    """
    Return whether another site's page asks. It could not read the answer, but it would
    notice when the stream ends.
    """
    headers = dict(scope["headers"])
    site = headers.get(b"sec-fetch-site", b"none")
    host = headers.get(b"host", b"")
    # Compare bytes, because a function that parses an origin may raise.
    _, _, asking = headers.get(b"origin", b"://" + host).partition(b"://")
    return site not in {b"same-origin", b"none"} or asking != host
