"""
Remember in a cookie which users have signed in with a browser.

The cookie holds a random token and, for each user, a keyed digest of the token and the
user's id. The cookie does not reveal which users signed in, and the server stores
nothing. After a person deletes the cookie, the browser counts as new.
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

# More people rarely share a browser, and with this many the cookie stays below 4 KB.
MAX_USERS = 8


class _Browser(TypedDict):
    # "b" is a random token. "u" has the digests of users, the latest to sign in first.
    b: str
    u: list[str]


def is_new(request: HttpRequest, user_id: Any) -> bool:
    """
    Return whether a user has not signed in with this browser before.

    ``user_id`` is the user's primary key. Return ``False`` if the project does not use
    ``SessionLimitMiddleware``, which sets the cookie.
    """
    if not hasattr(request, "session_limit"):
        return False
    browser = _read(request)
    return set(_digests(browser, user_id)).isdisjoint(browser["u"])


def remember(request: HttpRequest, response: HttpResponseBase, user_id: Any) -> None:
    """Record in a cookie that the user has signed in with this browser."""
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
        # The browser must send this cookie with the same sign-ins as the session
        # cookie.
        samesite=settings.SESSION_COOKIE_SAMESITE,
    )


def _read(request: HttpRequest) -> _Browser:
    """Return the browser cookie's content, or new content if the cookie is invalid."""
    try:
        browser: _Browser = signing.loads(
            request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=MAX_AGE
        )
    except signing.BadSignature:
        return {"b": secrets.token_urlsafe(16), "u": []}
    return browser


def _digests(browser: _Browser, user_id: Any) -> list[str]:
    """Return the digests that represent the user in the cookie, one per secret key."""
    return [each[:16] for each in keyed_digests(SALT, f"{browser['b']}:{user_id}")]
