"""
Which browsers a user has signed in with: the browser itself keeps that, in a cookie.

A random token of its own and, for each user, a keyed digest of both: so one browser's
cookie says nothing in another's hands about who uses it, nothing is stored about it
here, and nothing is read off it. Whoever clears their cookies is new again.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, TypedDict

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from session_limit.utils.keyed_digests import keyed_digests

COOKIE = "session_limit_browser"
SALT = "session_limit.browser"
MAX_AGE = timedelta(days=365)

# More people than share a browser, and less than a cookie holds.
MAX_USERS = 8


class _Browser(TypedDict):
    # A random token, and the digests of its users, who signed in last first.
    b: str
    u: list[str]


def is_new(request: HttpRequest, user_id: Any) -> bool:
    """
    Whether the user with this primary key signs in from a browser for the first time.
    ``False`` where our middleware is not there to remember any.
    """
    if not hasattr(request, "session_limit"):
        return False
    browser = _read(request)
    return set(_digests(browser, user_id)).isdisjoint(browser["u"])


def remember(request: HttpRequest, response: HttpResponseBase, user_id: Any) -> None:
    """Have the browser that gets ``response`` remember that this user signed in."""
    browser = _read(request)
    own, *former = _digests(browser, user_id)
    others = [digest for digest in browser["u"] if digest not in {own, *former}]
    browser["u"] = [own, *others][:MAX_USERS]
    response.set_cookie(
        COOKIE,
        signing.dumps(browser, salt=SALT),
        max_age=MAX_AGE,
        domain=settings.SESSION_COOKIE_DOMAIN,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        # Sent with every sign-in that the session's own cookie is sent with.
        samesite=settings.SESSION_COOKIE_SAMESITE,
    )


def _read(request: HttpRequest) -> _Browser:
    """Return what the browser remembers: nothing yet, where we did not write it."""
    try:
        browser: _Browser = signing.loads(
            request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=MAX_AGE
        )
    except signing.BadSignature:
        return {"b": secrets.token_urlsafe(16), "u": []}
    return browser


def _digests(browser: _Browser, user_id: Any) -> list[str]:
    """Return the user's digest, and what it was under each former secret."""
    return [each[:16] for each in keyed_digests(SALT, f"{browser['b']}:{user_id}")]
