"""Send requests as a browser does, and say whether they may have taken effect."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from tests.history.history import FAIL, INFO, OK

COOKIE = "sessionid"
# The CSRF token, which a real browser would get from a page of the site.
CSRF_TOKEN = "c" * 32
# How long a browser waits for an answer, in seconds.
PATIENCE = 6.0


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The outcome of a request, and its response.

    ``status`` is 0 if there was no response. ``cookie`` is the session cookie that the
    response sets: ``""`` if it deletes the cookie, ``None`` if it sets none.
    """

    outcome: str
    status: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    cookie: str | None = None
    why: str = ""


def head(method: str, path: str, cookie: str, body: bytes, accept: str) -> bytes:
    """Return the bytes of a request, with its head and its body."""
    cookies = f"csrftoken={CSRF_TOKEN}" + (f"; {COOKIE}={cookie}" if cookie else "")
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: history",
        "Connection: close",
        f"Accept: {accept}",
        f"Cookie: {cookies}",
        f"X-CSRFToken: {CSRF_TOKEN}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read_head(reader: asyncio.StreamReader) -> tuple[int, str | None]:
    """Read the head of a response. Return its status and the session cookie it sets."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
    cookie = None
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "set-cookie":
            morsel = SimpleCookie(value.strip()).get(COOKIE)
            cookie = cookie if morsel is None else morsel.value
    return int(lines[0].split()[1]), cookie


async def ask(
    address: tuple[str, int],
    method: str,
    path: str,
    *,
    cookie: str = "",
    form: dict[str, str] | None = None,
) -> Answer:
    """
    Send one request, and return its outcome.

    The outcome is "ok" for 2xx, "fail" for 4xx and for a request that was never sent,
    and "info" if the request may or may not have taken effect.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(*address)
    except (OSError, TimeoutError) as error:
        return Answer(FAIL, why=f"not connected: {type(error).__name__}")
    try:
        async with asyncio.timeout(PATIENCE):
            body = urlencode(form or {}).encode()
            writer.write(head(method, path, cookie, body, "application/json"))
            status, handed_out = await read_head(reader)
            content = await reader.read()
    except (OSError, TimeoutError, EOFError) as error:
        return Answer(INFO, why=type(error).__name__)
    finally:
        writer.transport.abort()
    try:
        data = json.loads(content)
    except ValueError:
        if status < 300:
            return Answer(INFO, status, why="cut short")
        data = {}
    outcome = OK if status < 300 else FAIL if 400 <= status < 500 else INFO
    return Answer(outcome, status, data, handed_out, str(data.get("code", "")))
