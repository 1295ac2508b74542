"""Requests to the project's own handler, in this process: no socket, no server."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Protocol

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

HEADERS = {
    "Host": "127.0.0.1",
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


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    # The value of the session cookie that it sets, if it sets one.
    cookie: str | None

    @classmethod
    def of(cls, status: int, headers: list[tuple[str, str]], body: bytes) -> Answer:
        cookies = SimpleCookie()
        for name, value in headers:
            if name.lower() == "set-cookie":
                cookies.load(value)
        morsel = cookies.get(settings.SESSION_COOKIE_NAME)
        return cls(status, body.decode(), morsel.value if morsel else None)


class Client(Protocol):
    def request(self, method: str, path: str, cookie: str | None = None) -> Answer: ...

    def repeat(self, path: str, cookie: str | None, requests: int) -> None:
        """Get the same page so many times, and look at none of the answers."""


class WSGIClient:
    def __init__(self) -> None:
        self._application = get_wsgi_application()

    def _environ(self, method: str, path: str, cookie: str | None) -> dict[str, object]:
        headers = {
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in HEADERS.items()
        }
        if cookie is not None:
            headers["HTTP_COOKIE"] = f"{settings.SESSION_COOKIE_NAME}={cookie}"
        return {
            **headers,
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "CONTENT_LENGTH": "0",
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
        }

    def request(self, method: str, path: str, cookie: str | None = None) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        environ = {
            **self._environ(method, path, cookie),
            "wsgi.input": io.BytesIO(),
        }
        response = self._application(environ, lambda *args: started.append(args[:2]))
        body = b"".join(response)
        response.close()
        status, headers = started[0]
        return Answer.of(int(status[:3]), headers, body)

    def repeat(self, path: str, cookie: str | None, requests: int) -> None:
        template = self._environ("GET", path, cookie)
        for _ in range(requests):
            environ = {**template, "wsgi.input": io.BytesIO()}
            response = self._application(environ, lambda *args: None)
            b"".join(response)
            response.close()


class ASGIClient:
    def __init__(self) -> None:
        self._application = get_asgi_application()
        self._runner = asyncio.Runner()

    async def _send(self, method: str, path: str, cookie: str | None) -> Answer:
        named = dict(HEADERS)
        if cookie is not None:
            named["Cookie"] = f"{settings.SESSION_COOKIE_NAME}={cookie}"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(n.lower().encode(), v.encode()) for n, v in named.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
        }
        has_body_been_read = False
        sent = []

        async def receive() -> dict[str, object]:
            nonlocal has_body_been_read
            if has_body_been_read:  # the client stays until it is answered
                await asyncio.Event().wait()
            has_body_been_read = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await self._application(scope, receive, send)
        start, *rest = sent
        headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
        body = b"".join(message.get("body", b"") for message in rest)
        return Answer.of(start["status"], headers, body)

    def request(self, method: str, path: str, cookie: str | None = None) -> Answer:
        return self._runner.run(self._send(method, path, cookie))

    def repeat(self, path: str, cookie: str | None, requests: int) -> None:
        async def all_of_them() -> None:
            for _ in range(requests):
                await self._send("GET", path, cookie)

        self._runner.run(all_of_them())


CLIENTS: dict[str, type[WSGIClient | ASGIClient]] = {
    "wsgi": WSGIClient,
    "asgi": ASGIClient,
}
