"""Browsers with several tabs, and with copies of their cookies."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from tests.cap.browsers import Browser
from tests.finality.judge import Asked


@dataclass(frozen=True, slots=True)
class Door:
    """A server, and its sync or async views."""

    port: int
    view: str

    @property
    def whoami(self) -> str:
        return f"/{self.view}/whoami/"


class Tabs:
    """
    A browser with tabs that share a cookie; each tab is a thread.

    Keeps a copy of every cookie that a server ever set.
    """

    def __init__(self) -> None:
        self.cookie: str | None = None
        self.copies: list[str] = []
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

    def ask(
        self,
        door: Door,
        what: str,
        form: dict[str, str] | None = None,
        *,
        copy: str | None = None,
    ) -> Asked:
        """Send a request with the browser's cookie, or a ``copy`` from elsewhere."""
        sent = copy or self.cookie
        one = Browser(door.port, sent)
        method, form = ("GET", None) if what == "whoami" else ("POST", form or {})
        started = time.monotonic()
        answer = one.request(method, f"/{door.view}/{what}/", form)
        asked = Asked(what, started, time.monotonic(), answer)
        with self._lock:
            self.asked.append(asked)
            self.copies += [c for c in one.handed_out if c not in self.copies]
            if copy is None and one.cookie != sent:
                self.cookie = one.cookie
        return asked
