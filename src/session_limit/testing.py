"""For your own tests: two browsers, a clock, and no limit where none is tested."""

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
    A test client that asks for pages as a person's browser does. ``user_agent``: what
    it says it is.
    """

    def __init__(self, user_agent: str = LAPTOP, **defaults: Any) -> None:
        super().__init__(headers=_headers(user_agent), **defaults)


class AsyncBrowser(AsyncClient):
    """See ``Browser``."""

    def __init__(self, user_agent: str = LAPTOP, **defaults: Any) -> None:
        super().__init__(**defaults)
        # Not its argument ``headers``: those it would send under their WSGI names.
        names = HttpHeaders.to_asgi_names(_headers(user_agent))
        cast("dict[str, Any]", self.defaults).update(names)


def two_browsers() -> tuple[Browser, Browser]:
    """Return a laptop's browser and a phone's."""
    return Browser(LAPTOP), Browser(PHONE)


class Clock:
    """The time that Django, and so this package, is told."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._now = timezone.now

    def now(self) -> Any:
        """Return the time, as far ahead as it was moved."""
        return self._now() + self._ahead

    def advance(self, by: float | timedelta) -> None:
        """Move on ``by`` seconds, or a ``timedelta``."""
        self._ahead += by if isinstance(by, timedelta) else timedelta(seconds=by)


@contextmanager
def clock() -> Iterator[Clock]:
    """
    Yield a ``Clock`` that ``django.utils.timezone.now()`` goes by within the block.
    What a store times by itself (a cache's own expiry) does not know of it.
    """
    moved = Clock()
    with mock.patch.object(timezone, "now", moved.now):
        yield moved


class Unlimited(Rules):
    """Rules without a limit."""

    def limit(self, user: AbstractBaseUser, scope: str) -> None:
        """Return ``None``."""
        return


def enforcement_off() -> override_settings:
    """
    Return a decorator or context manager under which no sign-in meets a limit or is
    told of: sessions are still recorded and can be ended. For tests of other things
    that sign one user in on several clients.
    """
    return override_settings(
        SESSION_LIMIT=None,
        SESSION_LIMIT_RULES=f"{__name__}.{Unlimited.__name__}",
        SESSION_LIMIT_NEW_SIGN_IN="none",
    )
