"""
Asked at the limit: the cookie by which a browser waits with a sign-in that nobody has
admitted yet, and what its person posted from the chooser.

A cookie of its own, and not the session: no code that reads a session finds anything of
it, and no answer that saves one can take it along.
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
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from session_limit import registry
from session_limit.client import posted_data
from session_limit.models import PendingSignIn, parse_uuid
from session_limit.pages import links

COOKIE = "session_limit_pending"

# How many ids one choice may name: as many as the chooser lists. "all" ends all.
MAX_CHOSEN = registry.LISTED


@dataclass(frozen=True, slots=True)
class Posted:
    """
    What was posted. ``chosen``: the ids of whom to sign out, ``None`` for everybody;
    ``code``: what tells that it comes from the chooser, or from the answer with it.
    """

    code: str
    chosen: frozenset[UUID] | None
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class Question:
    """
    What a person is asked: for which ``pending`` sign-in, whose cookie holds
    ``secret``, one of ``rivals`` is to be signed out; ``limit`` is how many there may
    be.
    """

    pending: PendingSignIn
    secret: str
    limit: int | None
    rivals: registry.Rivals

    @property
    def to_end(self) -> int:
        """
        Return how many have to be signed out. It is more than one if the limit was
        lowered, or only observed, when they signed in.
        """
        if self.limit is None:
            return 1
        return max(1, self.rivals.count + 1 - self.limit)

    @property
    def is_for_all(self) -> bool:
        """Return whether no choice among those listed makes room."""
        return self.to_end > len(self.rivals.listed)


def browser(request: HttpRequest) -> registry.Browser:
    """Return who ``request`` comes from, by its cookie if that can be one of ours."""
    value = request.COOKIES.get(COOKIE, "")
    is_secret = len(value) == registry.SECRET_LENGTH
    agent = request.META.get("HTTP_USER_AGENT", "")
    return registry.Browser(value if is_secret else None, agent)


def code(secret: str, key: str | bytes | None = None) -> str:
    """
    Return what the chooser's form posts along: only who was answered with it knows it,
    so that no other site can make the choice.
    """
    salt = "session_limit.code"
    return salted_hmac(salt, secret, key, algorithm="sha256").hexdigest()


def is_code(value: str, secret: str) -> bool:
    """Whether ``value`` is the code of this ``secret``."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(value, code(secret, key)) for key in keys)


def posted(request: HttpRequest) -> Posted:
    """
    Return what ``request`` posts, as a form or as JSON. Raises ``BadRequest`` where it
    says nothing that could be a choice.
    """
    data = posted_data.posted(request)
    end = data.getlist("end") if isinstance(data, QueryDict) else data.get("end", [])
    values = [end] if isinstance(end, str) else end
    # The button that signs out all also posts the boxes that are ticked.
    if not isinstance(values, list) or (len(values) - values.count("all") > MAX_CHOSEN):
        raise BadRequest(f'end is a list of at most {MAX_CHOSEN} ids, or "all".')
    ids = frozenset(filter(None, map(parse_uuid, values)))
    is_cancelled = bool(data.get("cancel"))
    if not (ids or "all" in values or is_cancelled):
        raise BadRequest("end names no session.")
    chosen = None if "all" in values else ids
    return Posted(str(data.get("choice", "")), chosen, is_cancelled)


def choice(request: HttpRequest) -> registry.Choice | None:
    """Return what ``request`` posts to the chooser; ``None`` where it cannot count."""
    if not is_asked_here(request):
        return None
    waiting = browser(request)
    pending = registry.find_pending(waiting)
    if pending is None or waiting.secret is None:
        return None
    made = posted(request)
    if made.is_cancelled or not is_code(made.code, waiting.secret):
        return None
    return registry.Choice(pending, made.chosen)


def set_cookie(response: HttpResponseBase, secret: str, expires_at: datetime) -> None:
    """Give the browser the cookie to wait with."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=expires_at - timezone.now(),
        path=settings.SESSION_COOKIE_PATH,
        domain=settings.SESSION_COOKIE_DOMAIN,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite=_same_site(),
    )


def delete_cookie(request: HttpRequest, response: HttpResponseBase) -> None:
    """Take the cookie from a browser that has no more to wait for."""
    if COOKIE in request.COOKIES:
        response.delete_cookie(
            COOKIE,
            path=settings.SESSION_COOKIE_PATH,
            domain=settings.SESSION_COOKIE_DOMAIN,
            samesite=_same_site(),
        )


def _same_site() -> Literal["Lax", "None"]:
    # Not "Strict": who comes from another site's sign-in would be nobody's here. But
    # where the session goes along in a frame, so does this.
    return "None" if settings.SESSION_COOKIE_SAMESITE == "None" else "Lax"


def forget(request: HttpRequest, response: HttpResponseBase) -> None:
    """Delete the pending sign-in, and its cookie, of a browser that has signed in."""
    registry.try_to_forget(browser(request))
    delete_cookie(request, response)


def is_asked_here(request: HttpRequest) -> bool:
    """Whether ``request`` is to the chooser's own address."""
    return links.is_to(request, links.choose_url())
