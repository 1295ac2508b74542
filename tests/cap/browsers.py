"""Browsers that sign in at the same moment and record the cookies they receive."""

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
# The cookie with which a browser waits for its person to choose what to sign out.
WAITING = "session_limit_pending"
# The token that a page of the site would have handed out.
CSRF_TOKEN = "c" * 32
# In seconds: longer than any right answer takes. SQLite's own timeout is 20.
PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. Its status is 0 if no response came."""

    status: int
    data: dict[str, Any] = field(default_factory=dict)
    cookie: str | None = None
    retry_after: str | None = None
    # When the server entered and left the view, in nanoseconds, and its process id.
    stamp: tuple[int, int, int] | None = None


@dataclass(slots=True)
class Browser:
    """A browser that keeps its session's cookie and the cookie of a pending sign-in."""

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
        """
        Send a request and keep the cookies of the answer.

        With a ``release``, connect first and send once all parties have connected.
        """
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
                release.abort()  # Otherwise the others would wait for this browser.
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
    """A browser's sign-in, and the page that it opens next, as after a redirect."""

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
    """Connect all browsers first, then let all of them sign in at the same moment."""
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
    """Return how many of the sign-ins were in their views at the same moment."""
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
