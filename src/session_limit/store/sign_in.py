"""Collect the facts that determine whether to admit a sign-in."""

from __future__ import annotations

import functools

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from session_limit import signals
from session_limit.client import browser_cookie, describe
from session_limit.conf import NewSignIn, conf
from session_limit.models import UserSession, parse_uuid
from session_limit.registry.pending import Choice, places_of
from session_limit.registry.sign_ins import SignIn
from session_limit.rules import get_rules, is_exempt
from session_limit.store import engines
from session_limit.utils.clock import utc_now


def sign_in_of(
    user: AbstractBaseUser,
    request: HttpRequest,
    *,
    presented_key: str | None = None,
    choice: Choice | None = None,
    adopted: bool = False,
) -> SignIn:
    """
    Return the facts about a sign-in that determine whether to admit ``user``.

    ``request.session`` must already contain the sign-in. If ``adopted`` is true, the
    user signed in earlier, and the session has no ``UserSession`` row yet.
    ``presented_key`` is the session key in the browser's cookie. ``choice`` says which
    sessions the person chose to end, or is ``None`` if the person was not asked.

    Raises ``ImproperlyConfigured`` if the project's ``Rules`` return a scope (the name
    of a group of sessions with a common limit) that cannot be stored. Errors in
    ``Rules`` are also raised.
    """
    now, client = utc_now(), describe(request)
    # The user of an adopted session signed in at an unknown time, at the latest at the
    # account's last login.
    last_login = getattr(user, "last_login", None) if adopted else None
    exempt = is_exempt(user, request)
    announces = conf.new_sign_in is not NewSignIn.NONE and not (exempt or adopted)
    is_new_browser = announces and browser_cookie.is_new(request, user.pk)
    place = browser_cookie.Place(None, frozenset())
    if hasattr(request, "session_limit") and not (exempt or adopted):
        places = places_of(choice.pending) if choice else []
        if places:
            # The form with the choice is the site's own, and the sign-in was not.
            place = browser_cookie.Place(places[0], frozenset(places))
        else:
            place = browser_cookie.place_of(request, user.pk, str(client))
    scope = choice.pending.scope if choice else get_rules().scope(user, request)
    return SignIn(
        user=user,
        session=request.session,
        key=request.session.session_key,
        client=client,
        scope=scope,
        exempt=exempt,
        adopted=adopted,
        own_id=parse_uuid(request.session.get(engines.ID)),
        presented_key=presented_key,
        is_new_browser=is_new_browser,
        browser=place.browser,
        former_browsers=place.former,
        now=now,
        authenticated_at=last_login or now,
        choice=choice,
        announce=functools.partial(_send_started, request),
    )


def _send_started(
    request: HttpRequest, session: UserSession, is_new_browser: bool
) -> None:
    signals.session_started.send_robust(
        sender=UserSession,
        session=session,
        request=request,
        is_new_browser=is_new_browser,
    )
