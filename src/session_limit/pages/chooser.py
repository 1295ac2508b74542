"""
Handle the cookie and form of the chooser, where a person picks a session to end.

The cookie identifies the pending sign-in, which waits for the choice. The pending
sign-in is not stored in the session. Code that reads the session thus does not see the
pending sign-in, and a response that saves the session does not delete it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare

from session_limit.client import posted_data
from session_limit.models import PendingSignIn, parse_uuid
from session_limit.pages import links
from session_limit.registry.pending import (
    LISTED,
    SECRET_LENGTH,
    Browser,
    Choice,
    Rivals,
    find_pending,
    try_to_cancel,
)
from session_limit.utils.clock import utc_now
from session_limit.utils.keyed_digests import keyed_digests

COOKIE = "session_limit_pending"
SALT = "session_limit.code"

# A choice may name as many ids as the chooser lists.
MAX_CHOSEN = LISTED


@dataclass(frozen=True, slots=True)
class Posted:
    """
    A choice of sessions to end, posted as a form or as JSON.

    ``code`` proves that the form came from this site. ``chosen`` contains the ids of
    the sessions to end, or is ``None`` to end all sessions. ``is_cancelled`` is true if
    the person cancels the sign-in instead.
    """

    code: str
    chosen: frozenset[UUID] | None
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class Question:
    """
    The question of which live session to end, so that a new sign-in can complete.

    ``pending`` is the sign-in that waits for the answer. ``secret`` is the value of the
    browser's cookie. ``limit`` is the session limit, or ``None`` if there is no limit.
    ``rivals`` are the live sessions to choose from.
    """

    pending: PendingSignIn
    secret: str
    limit: int | None
    rivals: Rivals

    @property
    def to_end(self) -> int:
        """
        Return how many sessions must end before the sign-in can complete.

        The number exceeds one if the limit was lowered or was not enforced until now.
        """
        if self.limit is None:
            return 1
        return max(1, self.rivals.count + 1 - self.limit)

    @property
    def is_for_all(self) -> bool:
        """Return whether ending all of the listed sessions would not be enough."""
        return self.to_end > len(self.rivals.listed)


def browser(request: HttpRequest) -> Browser:
    """Return the browser of ``request``, identified by a cookie and the user agent."""
    secret = request.COOKIES.get(COOKIE, "")
    is_secret = len(secret) == SECRET_LENGTH
    agent = request.META.get("HTTP_USER_AGENT", "")
    return Browser(secret if is_secret else None, agent)


def code(secret: str) -> str:
    """
    Return the code that protects the choice of a session against cross-site requests.

    ``secret`` is the value of the browser's cookie. Only the browser that received the
    form knows the code, so another site cannot post a choice.
    """
    return keyed_digests(SALT, secret)[0]


def is_code(value: str, secret: str) -> bool:
    """
    Return whether ``value`` is the form's code for the cookie value ``secret``.

    Codes made with a key in ``SECRET_KEY_FALLBACKS`` are accepted too.
    """
    codes = keyed_digests(SALT, secret)
    return any(constant_time_compare(value, each) for each in codes)


def posted(request: HttpRequest) -> Posted:
    """
    Return the choice of sessions to end that ``request`` posts as a form or as JSON.

    Raises ``BadRequest`` if the choice names too many sessions. Also raises
    ``BadRequest`` if the choice names no session and does not cancel the sign-in.
    """
    data = posted_data.posted(request)
    end = data.getlist("end") if isinstance(data, QueryDict) else data.get("end", [])
    values = [end] if isinstance(end, str) else end
    # The button "Sign out all others" posts "all" along with the selected boxes.
    if not isinstance(values, list) or (len(values) - values.count("all") > MAX_CHOSEN):
        raise BadRequest(f'end is a list of at most {MAX_CHOSEN} ids, or "all".')
    ids = frozenset(filter(None, map(parse_uuid, values)))
    is_cancelled = bool(data.get("cancel"))
    if not (ids or "all" in values or is_cancelled):
        raise BadRequest("end names no session.")
    chosen = None if "all" in values else ids
    return Posted(str(data.get("choice", "")), chosen, is_cancelled)


def choice(request: HttpRequest) -> Choice | None:
    """
    Return the valid choice of sessions to end that ``request`` posts.

    Return ``None`` for a choice that is invalid or cancels the sign-in, and for a
    request to another page.
    """
    if not is_asked_here(request):
        return None
    waiting = browser(request)
    pending = find_pending(waiting)
    if pending is None or waiting.secret is None:
        return None
    made = posted(request)
    if made.is_cancelled or not is_code(made.code, waiting.secret):
        return None
    return Choice(pending, made.chosen)


def set_cookie(response: HttpResponseBase, secret: str, expires_at: datetime) -> None:
    """Set the cookie that identifies a pending sign-in until ``expires_at``."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=expires_at - utc_now(),
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite=_same_site(),
    )


def delete_cookie(request: HttpRequest, response: HttpResponseBase) -> None:
    """Delete the cookie for a pending sign-in, if the browser has this cookie."""
    if COOKIE in request.COOKIES:
        response.delete_cookie(
            COOKIE,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN,
            samesite=_same_site(),
        )


def _same_site() -> Literal["Lax", "None"]:
    # With "Strict", a browser would not send the cookie after a sign-in at another
    # site. "None" makes it work in every frame in which the session cookie works.
    return "None" if settings.SESSION_COOKIE_SAMESITE == "None" else "Lax"


def forget(request: HttpRequest, response: HttpResponseBase) -> None:
    """Delete the pending sign-in and its cookie after the browser has signed in."""
    try_to_cancel(browser(request))
    delete_cookie(request, response)


def is_asked_here(request: HttpRequest) -> bool:
    """Return whether ``request`` is for the page that asks which session to end."""
    return links.is_to(request, links.url_of(links.CHOOSE_VIEW))
