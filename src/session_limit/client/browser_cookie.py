"""
Remember in a cookie which users have signed in with a browser.

The cookie holds a random token and, for each user, a keyed digest of the token and the
user's id. The cookie does not reveal which users signed in. After a person deletes the
cookie, the browser counts as new.

The row of a live session holds another keyed digest of the token and the user's id. A
browser does not always send its session cookie: after a sign-in at another site, for
example. With this digest, the browser takes its own earlier place and no second one.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, NamedTuple, TypedDict, cast

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from session_limit.client import request_kind
from session_limit.conf import NewSignIn, conf
from session_limit.utils.keyed_digests import keyed_digests

COOKIE = "session_limit_browser"
SALT = "session_limit.browser"
PLACE_SALT = "session_limit.place"
MAX_AGE = timedelta(days=365)

# More people rarely share a browser, and with this many the cookie stays below 4 KB.
MAX_USERS = 8


class Place(NamedTuple):
    """
    The keyed digests that recognize a browser's place under an account's limit.

    ``browser`` is stored with the new session, or is ``None`` if there is nothing to
    store. ``former`` are the digests with which an earlier session of the same browser
    may be stored, and is empty if the browser has no such session.
    """

    browser: str | None
    former: frozenset[str]


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
    browser = _browser(request)
    return set(_digests(browser, user_id)).isdisjoint(browser["u"])


def remember(request: HttpRequest, response: HttpResponseBase, user_id: Any) -> None:
    """Record in a cookie that the user has signed in with this browser."""
    browser = _browser(request)
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
        # The browser must also send this cookie with a sign-in at another site, which
        # the session cookie may not reach. Browsers require Secure for that.
        samesite="None"
        if _is_sent_across_sites()
        else settings.SESSION_COOKIE_SAMESITE,
    )


def place_of(request: HttpRequest, user_id: Any, description: str) -> Place:
    """
    Return how to recognize the browser that signs a user in by ``request``.

    ``user_id`` is the user's primary key, and ``description`` is what is stored about
    the client. Before this call, ``request`` must have passed through the middleware.
    """
    described = described_places(request, user_id, description)
    if described:
        return Place(described[0], frozenset(described))
    if conf.new_sign_in is NewSignIn.NONE:
        return Place(None, frozenset())
    digests = _place_digests("token", _browser(request)["b"], user_id)
    takes_over = COOKIE in request.COOKIES and not _sends_session(request)
    return Place(digests[0], frozenset(digests if takes_over else ()))


def described_places(request: HttpRequest, user_id: Any, description: str) -> list[str]:
    """
    Return the digests of a browser that only a description of its client recognizes.

    The result has one digest per secret key, and is empty if ``request`` can send the
    session cookie or the browser cookie. The arguments are those of ``place_of()``.
    """
    sends_cookie = _sends_session(request) or COOKIE in request.COOKIES
    is_expected = conf.new_sign_in is not NewSignIn.NONE and _is_sent_across_sites()
    if sends_cookie or is_expected or not request_kind.is_from_another_site(request):
        return []
    # Neither cookie can be sent with such a sign-in. The description recognizes a place
    # that began in the same way.
    agent = request.headers.get("User-Agent", "")
    return _place_digests("description", description, agent, user_id)


def _sends_session(request: HttpRequest) -> bool:
    return bool(request.COOKIES.get(settings.SESSION_COOKIE_NAME))


def _place_digests(*facts: Any) -> list[str]:
    # Two sites on one host share the browser cookie, but not the session cookie.
    site = (settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_PATH)
    value = "\n".join(map(str, (*site, *facts)))
    return [each[:32] for each in keyed_digests(PLACE_SALT, value)]


def _is_sent_across_sites() -> bool:
    return bool(settings.SESSION_COOKIE_SECURE)


def _browser(request: HttpRequest) -> _Browser:
    """
    Return the browser cookie's content, or new content if the cookie is invalid.

    All calls with the same request return the same object.
    """
    browser: _Browser | None = getattr(request, "session_limit_browser", None)
    if browser is None:
        try:
            browser = signing.loads(
                request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=MAX_AGE
            )
        except signing.BadSignature:
            browser = {"b": secrets.token_urlsafe(16), "u": []}
        request.session_limit_browser = browser  # type: ignore[attr-defined]
    return cast("_Browser", browser)


def _digests(browser: _Browser, user_id: Any) -> list[str]:
    """Return the digests that represent the user in the cookie, one per secret key."""
    return [each[:16] for each in keyed_digests(SALT, f"{browser['b']}:{user_id}")]
