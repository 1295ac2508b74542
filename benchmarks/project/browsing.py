"""Send requests directly to Django's handler, without a socket or a server."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import time
from http.cookies import SimpleCookie
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import AsyncRequestFactory, RequestFactory

from benchmarks.project.recording import counted, counted_calls, counted_hops

WARM_UP = 20
HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    ),
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
}
IS_ASGI = settings.SERVER == "asgi"
HANDLER: Any = get_asgi_application() if IS_ASGI else get_wsgi_application()
FACTORY: Any = (AsyncRequestFactory if IS_ASGI else RequestFactory)()
if IS_ASGI and hasattr(settings, "SESSION_LIMIT_PLAYS"):
    from session_limit.asgi import SessionGuard

    HANDLER = SessionGuard(HANDLER)
RUNNER = asyncio.Runner()
TOKEN = "c" * 32

Message = dict[str, Any]


def _request(method: str, path: str, cookie: str | None, token: str = "") -> Any:
    """
    Return the WSGI environment or the ASGI scope of a request.

    ``token`` is its CSRF token, if the view needs one.
    """
    FACTORY.cookies.clear()
    if cookie is not None:
        FACTORY.cookies[settings.SESSION_COOKIE_NAME] = cookie
    headers = HEADERS
    if token:
        FACTORY.cookies[settings.CSRF_COOKIE_NAME] = token
        headers = {**HEADERS, "X-CSRFToken": token, "Accept": "application/json"}
    made = FACTORY.generic(method, path, headers=headers)
    return made.scope if IS_ASGI else made.environ


async def _asgi(scope: Any) -> list[Message]:
    is_read = False
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal is_read
        if is_read:  # the client waits for the response
            await asyncio.Event().wait()
        is_read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await HANDLER(dict(scope), receive, send)
    return sent


def _wsgi(environ: Any) -> tuple[list[Any], bytes]:
    started: list[Any] = []
    response = HANDLER(
        environ | {"wsgi.input": io.BytesIO()}, lambda *args: started.extend(args)
    )
    body = b"".join(response)
    response.close()
    return started, body


def ask(
    path: str, cookie: str | None = None, method: str = "GET", token: str = ""
) -> tuple[int, str | None, str]:
    """Send one request. Return the status, the new session cookie, and the body."""
    request = _request(method, path, cookie, token)
    if IS_ASGI:
        start, *rest = RUNNER.run(_asgi(request))
        status = start["status"]
        headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
        body = b"".join(message.get("body", b"") for message in rest)
    else:
        (line, headers, *_), body = _wsgi(request)
        status = int(line[:3])
    cookies: SimpleCookie = SimpleCookie()
    for name, value in headers:
        if name.lower() == "set-cookie":
            cookies.load(value)
    morsel = cookies.get(settings.SESSION_COOKIE_NAME)
    return status, morsel.value if morsel else None, body.decode()


def _repeat(path: str, cookie: str | None, times: int) -> None:
    request = _request("GET", path, cookie)

    async def all_of_them() -> None:
        for _ in range(times):
            await _asgi(request)

    if IS_ASGI:
        RUNNER.run(all_of_them())
        return
    for _ in range(times):
        _wsgi(request)


def _path(page: str) -> str:
    return f"/{'async' if IS_ASGI else 'sync'}/{page}/"


def _sign_in(username: str) -> str:
    status, cookie, body = ask(f"/sign-in/{username}/", method="POST")
    if status != 200 or cookie is None:
        raise RuntimeError(f"The sign-in failed: {status} {body}")
    return cookie


def _sign_in_and(username: str, *, then_a_page: bool) -> None:
    cookie = _sign_in(username)
    if then_a_page:
        ask(_path("member"), cookie)


def prepare(username: str) -> str:
    """
    Sign in, warm up each page with several requests, and return the session cookie.
    """
    cookie = _sign_in(username)
    expected = {"member": username, "visitor": "False", "public": "public"}
    for page, body in expected.items():
        sent = cookie if page != "visitor" else None
        status, _, found = ask(_path(page), sent)
        if (status, found) != (200, body):
            raise RuntimeError(f"{page}: {status} {found}")
        _repeat(_path(page), sent, WARM_UP)
    return cookie


def run(page: str, cookie: str | None, times: int) -> dict[str, float]:
    """Request a page repeatedly, and return the CPU and wall seconds per request."""
    gc.collect()
    # Warm up again, because other processes have filled the processor's caches.
    _repeat(_path(page), cookie, WARM_UP // 5)
    cpu, wall = time.process_time(), time.perf_counter()
    _repeat(_path(page), cookie, times)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu / times, "wall": wall / times}


def mark(page: str, cookie: str | None, times: int) -> None:
    """
    Request a page repeatedly, between two calls of ``getsid()``.

    ``benchmarks.instructions`` lets Callgrind report at each of these calls, which do
    nothing else here.
    """
    _repeat(_path(page), cookie, WARM_UP)
    gc.collect()
    # What runs the garbage collector depends on the objects that exist already.
    gc.disable()
    os.getsid(0)
    _repeat(_path(page), cookie, times)
    os.getsid(0)
    gc.enable()


def count(page: str, cookie: str | None) -> dict[str, int]:
    # Now and then, a request also records when the session was last active.
    ask(_path(page), cookie)
    with counted() as counts:
        ask(_path(page), cookie)
    return counts


def count_everything(page: str, cookie: str | None) -> dict[str, int]:
    """Count the statements, cache operations, thread hops and calls of a page."""
    ask(_path(page), cookie)
    with counted() as counts, counted_hops() as hops:
        ask(_path(page), cookie)
    with counted_calls() as calls:
        ask(_path(page), cookie)
    return counts | hops | calls


def count_renewal(key: str, play: str) -> dict[str, int]:
    """Count the second renewal of a play, because the first may also connect."""
    path = f"/account/sessions/plays/{play}/renew/"
    ask(path, key, "POST", token=TOKEN)
    with counted() as counts, counted_hops() as hops:
        status, _, body = ask(path, key, "POST", token=TOKEN)
    if status != 200:
        raise RuntimeError(f"The renewal failed: {status} {body}")
    return counts | hops


def count_sign_in(username: str, *, then_a_page: bool) -> dict[str, int]:
    with counted() as counts:
        _sign_in_and(username, then_a_page=then_a_page)
    return counts


def sign_in(
    usernames: list[str], *, then_a_page: bool = False
) -> list[dict[str, float]]:
    """
    Sign in from new browsers, and return the CPU and wall seconds of each sign-in.
    """
    taken = []
    gc.collect()
    for username in usernames:
        cpu, wall = time.process_time(), time.perf_counter()
        _sign_in_and(username, then_a_page=then_a_page)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        taken.append({"cpu": cpu, "wall": wall})
    return taken


def contend(usernames: list[str]) -> None:
    """Sign in while other processes sign in to the same accounts."""
    for username in usernames:
        status, _, body = ask(f"/sign-in/{username}/", method="POST")
        # The response is a 401 if another sign-in has already displaced this one.
        if status not in {200, 401}:
            raise RuntimeError(f"The sign-in failed: {status} {body}")
