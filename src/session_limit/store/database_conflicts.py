"""Answer 503 if the database gave up on a sign-in, or on this package's own code."""

from __future__ import annotations

from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from session_limit import registry
from session_limit.pages import links, responses
from session_limit.store.guarded import GuardedSession
from session_limit.store.state import SessionState, state_of

PACKAGE = __name__.partition(".")[0]

# Functions of django.contrib.auth. A conflict inside them is about a sign-in.
_AUTH = frozenset(
    {
        *("authenticate", "login", "logout", "update_session_auth_hash"),
        *("aauthenticate", "alogin", "alogout", "aupdate_session_auth_hash"),
    }
)


def concerns_us(request: HttpRequest, error: BaseException | None) -> bool:
    """
    Return whether ``error`` says that the database gave up on something of ours:
    ``request`` is for one of our own pages, our code or Django's ``login()`` raised it,
    or the request signed somebody in or out.

    Django handles other conflicts, such as those in a project's own view that signs
    no user in or out.
    """
    if error is None or not registry.is_retryable(error):
        return False
    state = state_of(request)
    return (
        links.is_ours(request)
        or _passed_through_us(error)
        # An error at COMMIT does not say which statement caused it.
        or (state is not None and _changes_hands(state))
    )


def retry(
    request: HttpRequest, response: HttpResponseBase | None = None
) -> HttpResponse:
    """
    Return the 503, in place of ``response`` if there is one already, and leave the
    browser as it was: its session, key and data, and the token in its forms, so that
    the same form can be sent again.
    """
    session = request.session
    if isinstance(session, GuardedSession):
        session.give_up()
    # Keep CsrfViewMiddleware from sending the token that login() has made.
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
    return responses.retry(response)


def _changes_hands(state: SessionState) -> bool:
    """Return whether the request signed somebody in or out, or changed the key."""
    return (
        state.admitted
        or state.adopted
        or state.refusal is not None
        or state.before_login is not None
    )


def _passed_through_us(error: BaseException) -> bool:
    """Return whether our own code raised ``error``, or a function in ``_AUTH``."""
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] == PACKAGE:
            return True
        if module == auth.__name__ and frame.f_code.co_name in _AUTH:
            return True
        traceback = traceback.tb_next
    return False
