"""Browsers that sign in at the same moment, and keep a list of what they were given."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Sequence

COOKIE = "sessionid"
# With which it waits for its person to choose what to sign out.
WAITING = "session_limit_pending"
# What a page of the site's own would have been given.
CSRF_TOKEN = "c" * 32
# Longer than anything that a right answer may take: SQLite's own timeout is 20.
PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; status 0 if there was none."""

    status: int
    data: dict[str, Any] = field(default_factory=dict)
    cookie: str | None = None
    retry_after: str | None = None
    # When the server entered and left the view, and in which process.
    stamp: tuple[int, int, int] | None = None


@dataclass(slots=True)
class Browser:
    """A cookie jar for the session's cookie, and for the one to wait with."""

    port: int
    cookie: str | None = None
    waiting: str | None = None
    handed_out: list[str] = field(default_factory=list)

    def request(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        *,
        release: threading.Barrier | None = None,
    ) -> Answer:
        """Ask, once connected and released if there is a barrier; keep the cookie."""
        headers = {
            "Accept": "application/json",
            "Connection": "close",
            "X-CSRFToken": CSRF_TOKEN,
        }
        held = {COOKIE: self.cookie, WAITING: self.waiting, "csrftoken": CSRF_TOKEN}
        if any(held.values()):
            pairs = (f"{name}={value}" for name, value in held.items() if value)
            headers["Cookie"] = "; ".join(pairs)
        body = None
        if form is not None:
            body = urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, PATIENCE)
        try:
            if release is not None:
                connection.connect()
                release.wait(PATIENCE)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            if release is not None:
                release.abort()  # or the others would wait for this one
            return Answer(0, {"error": f"{type(error).__name__}: {error}"})
        finally:
            connection.close()
        return self._keep(response, content)

    def _keep(self, response: http.client.HTTPResponse, content: bytes) -> Answer:
        handed_out = None
        for line in response.headers.get_all("Set-Cookie", []):
            cookies = SimpleCookie(line)
            if (morsel := cookies.get(COOKIE)) is not None:
                self.cookie = handed_out = morsel.value or None
            if (morsel := cookies.get(WAITING)) is not None:
                self.waiting = morsel.value or None
        if handed_out:
            self.handed_out.append(handed_out)
        json_sent = response.headers.get_content_type() == "application/json"
        stamp = response.headers.get("X-View")
        return Answer(
            status=response.status,
            data=json.loads(content) if json_sent else {},
            cookie=handed_out,
            retry_after=response.headers.get("Retry-After"),
            stamp=_stamp(stamp) if stamp else None,
        )


def _stamp(header: str) -> tuple[int, int, int]:
    entered, left, process = map(int, header.split())
    return entered, left, process


@dataclass(frozen=True, slots=True)
class SignIn:
    """A browser's sign-in, and the page it opens next, as a redirect makes it do."""

    browser: Browser
    answer: Answer
    next_page: Answer


def sign_in(
    browser: Browser,
    view: str,
    username: str,
    release: threading.Barrier | None = None,
) -> SignIn:
    answer = browser.request(
        "POST", f"/{view}/sign-in/", {"username": username}, release=release
    )
    return SignIn(browser, answer, browser.request("GET", f"/{view}/whoami/"))


def sign_in_at_once(
    browsers: Sequence[Browser], view: str, usernames: Sequence[str]
) -> list[SignIn]:
    """All connected first, then all released by one barrier."""
    release = threading.Barrier(len(browsers))
    with ThreadPoolExecutor(len(browsers)) as threads:
        return list(
            threads.map(
                lambda browser, username: sign_in(browser, view, username, release),
                browsers,
                usernames,
            )
        )


def overlap(answers: Sequence[Answer]) -> int:
    """How many of the sign-ins were being served at one moment, by the stamps."""
    edges: list[tuple[int, int]] = []
    for answer in answers:
        if answer.stamp is not None:
            entered, left, _ = answer.stamp
            edges += [(entered, 1), (left, -1)]
    most = now = 0
    for _, step in sorted(edges):
        now += step
        most = max(most, now)
    return most
