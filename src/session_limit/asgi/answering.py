"""Send whole responses over ASGI."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from session_limit.asgi.types import Send

RawHeaders = list[tuple[bytes, bytes]]


def encoded(headers: Iterable[tuple[str, str]]) -> RawHeaders:
    """Return response headers as ASGI expects them: lower-case names, as bytes."""
    return [
        (name.lower().encode("latin1"), value.encode("latin1"))
        for name, value in headers
    ]


async def answer(
    send: Send, status: HTTPStatus, headers: RawHeaders, body: bytes = b""
) -> None:
    """Send a response of which nothing has been sent yet."""
    start = {"status": status.value, "headers": headers}
    await send({"type": "http.response.start", **start})
    await send({"type": "http.response.body", "body": body})
