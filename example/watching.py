"""What an open page does, for the story: it listens, and is told when it is over."""

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
# Between two questions, in seconds, where the server is WSGI: less than a page waits.
POLL = 0.25
EVENTS, STATUS = "/account/sessions/events/", "/account/sessions/status/"
FEED = "/live/feed/"


class Told:
    """Something that a page waits for, in a thread of its own: what, and when."""

    def __init__(self, listen: Callable[[Told], None]) -> None:
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
        """Wait until it comes, or for as long as anybody would."""
        self._thread.join(PATIENCE)

    def after(self, ended_at: datetime) -> int:
        """
        Return how many milliseconds after the end it came, by this machine's clock,
        which the server's is too; -1 for never.
        """
        self.wait()
        return round((self.at - ended_at.timestamp()) * 1000) if self.at else -1


def stream(browser: Browser, *, until: str = "ended") -> Told:
    """
    Listen to the event stream, as watch.js does, until it tells that the session has
    ``"ended"``, and why, or that something of it has ``"changed"``.
    """

    def listen(told: Told) -> None:
        name = ""
        for line in _lines(browser, EVENTS):
            told.is_waiting.set()
            field, _, value = line.partition(": ")
            name = value if field == "event" else name
            if name == until and field == "data":
                told.what = json.loads(value).get("reason", name)
                return

    return Told(listen)


def feed(browser: Browser) -> Told:
    """Read the gauge until it stops."""

    def listen(told: Told) -> None:
        for line in _lines(browser, FEED):
            told.what = json.loads(line)["height"]
            told.is_waiting.set()

    return Told(listen)


def status(browser: Browser) -> Told:
    """Ask for the status, as watch.js does where there is no stream."""

    def listen(told: Told) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = browser.call(STATUS).json
            told.is_waiting.set()
            if answer.get("code") == "session_ended":
                told.what = answer["reason"]
                return
            time.sleep(POLL)

    return Told(listen)


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
