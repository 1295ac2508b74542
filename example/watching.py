"""Wait until a session ends, as an open page does in the demo's story."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from http.client import HTTPConnection
from urllib.parse import urlsplit

from example.browser import Browser

PATIENCE = 10
# The time between two requests for the status under WSGI, in seconds. A real page waits
# longer.
POLL = 0.25
EVENTS, STATUS = "/account/sessions/events/", "/account/sessions/status/"
FEED = "/live/feed/"


class Watcher:
    """
    A thread that runs ``listen`` and records the result.

    ``listen`` is called with this object. It sets ``is_waiting`` when it has begun to
    wait, and ``what`` to what it receives. ``at`` is the time at which ``listen``
    returned, in seconds since the epoch, or 0 until then.
    """

    def __init__(self, listen: Callable[[Watcher], None]) -> None:
        self.what: object = None
        self.at = 0.0
        self.is_waiting = threading.Event()
        self._listen = listen
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.is_waiting.wait(PATIENCE)

    def _run(self) -> None:
        self._listen(self)
        self.at = time.time()

    def wait(self) -> None:
        """Wait until ``listen`` returns, for at most ``PATIENCE`` seconds."""
        self._thread.join(PATIENCE)

    def after(self, ended_at: datetime) -> int:
        """
        Return how many milliseconds after ``ended_at`` the function ``listen``
        returned, or -1 if it did not return.

        The server runs on this machine, so the two times come from one clock.
        """
        self.wait()
        return round((self.at - ended_at.timestamp()) * 1000) if self.at else -1


def stream(browser: Browser, *, until: str = "ended") -> Watcher:
    """
    Listen to the site's event stream, as watch.js does, until the event ``until``
    arrives.

    The watcher's result is the reason in the event ``"ended"``, or ``"changed"``.
    """

    def listen(watcher: Watcher) -> None:
        name = ""
        for line in _lines(browser, EVENTS):
            watcher.is_waiting.set()
            field, _, value = line.partition(": ")
            name = value if field == "event" else name
            if name == until and field == "data":
                watcher.what = json.loads(value).get("reason", name)
                return

    return Watcher(listen)


def feed(browser: Browser) -> Watcher:
    """
    Read the gauge's stream until it stops. The watcher's result is the last value.
    """

    def listen(watcher: Watcher) -> None:
        for line in _lines(browser, FEED):
            watcher.what = json.loads(line)["height"]
            watcher.is_waiting.set()

    return Watcher(listen)


def status(browser: Browser) -> Watcher:
    """
    Poll the session's status until it has ended, as watch.js does without a stream.

    The watcher's result is the reason why the session ended.
    """

    def listen(watcher: Watcher) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = browser.call(STATUS).json
            watcher.is_waiting.set()
            if answer.get("code") == "session_ended":
                watcher.what = answer["reason"]
                return
            time.sleep(POLL)

    return Watcher(listen)


def _lines(browser: Browser, address: str) -> Iterable[str]:
    site = urlsplit(browser.site)
    connection = HTTPConnection(str(site.hostname), site.port, timeout=PATIENCE)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
    with contextlib.closing(connection):
        connection.request("GET", address, headers={"Cookie": cookies})
        with connection.getresponse() as response:
            while line := response.readline().decode():
                if line.strip():
                    yield line.strip()
