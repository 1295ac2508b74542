"""Test clients, a clock and a way to disable the session limit in a project's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast
from unittest import mock

from django.contrib.auth.base_user import AbstractBaseUser
from django.http.request import HttpHeaders
from django.test import AsyncClient, Client, override_settings
from django.utils import timezone

from session_limit.rules import Rules
from session_limit.utils.clock import as_utc

LAPTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
)
PHONE = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36"
)


def _headers(user_agent: str) -> dict[str, str]:
    return {"User-Agent": user_agent, "Accept": "text/html,application/xhtml+xml"}


class Browser(Client):
    """
    A test client that sends the request headers of a browser.

    ``user_agent`` is the ``User-Agent`` header. ``defaults`` are passed to ``Client``.
    """

    def __init__(self, user_agent: str = LAPTOP, **defaults: Any) -> None:
        super().__init__(headers=_headers(user_agent), **defaults)


class AsyncBrowser(AsyncClient):
    """An ``AsyncClient`` that sends the request headers of a browser."""

    def __init__(self, user_agent: str = LAPTOP, **defaults: Any) -> None:
        super().__init__(**defaults)
        # AsyncClient would send its ``headers`` argument under WSGI names.
        names = HttpHeaders.to_asgi_names(_headers(user_agent))
        cast("dict[str, Any]", self.defaults).update(names)


def two_browsers() -> tuple[Browser, Browser]:
    """Return two test clients: a browser on a laptop and a browser on a phone."""
    return Browser(LAPTOP), Browser(PHONE)


class Clock:
    """A clock that a test can move forward. Created by the function ``clock()``."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._now = timezone.now

    def now(self) -> Any:
        """Return the real time plus the time that ``advance()`` has added."""
        now = self._now()
        later = as_utc(now) + self._ahead
        if timezone.is_aware(now):
            return later
        # Naive times skip and repeat an hour when clocks change, so add to UTC.
        return timezone.make_naive(later, timezone.get_default_timezone())

    def advance(self, by: float | timedelta) -> None:
        """Move the clock forward by a number of seconds or a ``timedelta``."""
        self._ahead += by if isinstance(by, timedelta) else timedelta(seconds=by)


@contextmanager
def clock() -> Iterator[Clock]:
    """
    Make ``timezone.now()`` return a time that a test can move forward.

    This function is a context manager that yields a ``Clock``. The clocks of caches,
    files and databases are not affected.
    """
    moved = Clock()
    with mock.patch.object(timezone, "now", moved.now):
        yield moved


class Unlimited(Rules):
    """Rules that allow every account any number of sessions."""

    def limit(self, user: AbstractBaseUser, scope: str) -> None:
        """Return ``None``, because these rules set no limit."""
        return


def enforcement_off() -> override_settings:
    """
    Disable the session limit and the notices of new sign-ins in a test.

    Use this function as a decorator or context manager in tests that sign a user in on
    several clients. Sessions are still recorded and can be ended.
    """
    return override_settings(
        SESSION_LIMIT=None,
        SESSION_LIMIT_RULES=f"{__name__}.{Unlimited.__name__}",
        SESSION_LIMIT_NEW_SIGN_IN="none",
    )
