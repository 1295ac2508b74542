"""Return 503 responses for database conflicts in sign-ins and in this package."""

from __future__ import annotations

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from session_limit.pages import links, responses
from session_limit.registry.transactions import is_retryable
from session_limit.store.guarded import GuardedSession
from session_limit.store.state import SignInRecord, state_of

PACKAGE = __name__.partition(".")[0]

# Functions of django.contrib.auth. A conflict inside one of them interrupts a sign-in.
_SYNC = ("authenticate", "login", "logout", "update_session_auth_hash")
_AUTH = frozenset(_SYNC) | {f"a{name}" for name in _SYNC}


def concerns_us(request: HttpRequest, error: BaseException | None) -> bool:
    """
    Return whether this package, instead of Django, must answer a failed request.

    This is true if ``error`` is a database conflict or a lock timeout in one of three
    cases. The request is for a page of this package, this package or a function of
    ``django.contrib.auth`` raised the error, or the request signed a user in or out.
    """
    if error is None or not is_retryable(error):
        return False
    state = state_of(request)
    return (
        links.is_ours(request)
        or _passed_through_us(error)
        # An error at COMMIT does not say which statement caused it.
        or (state is not None and _changed_user(state.sign_in))
    )


def retry(
    request: HttpRequest, response: HttpResponseBase | None = None
) -> HttpResponse:
    """
    Return a 503 response that asks the client to try again.

    The 503 response replaces ``response``, if given. The browser keeps its session and
    the CSRF token of its forms, so that the same form can be submitted again.
    """
    session = request.session
    if isinstance(session, GuardedSession):
        session.give_up()
    # Do not send the new token that login() has generated.
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
    if response is not None:
        response.cookies.pop(settings.CSRF_COOKIE_NAME, None)
    return responses.retry(response)


def _changed_user(sign_in: SignInRecord) -> bool:
    """Return whether the request signed a user in or out or changed the session key."""
    return (
        sign_in.admitted
        or sign_in.adopted
        or sign_in.refusal is not None
        or sign_in.has_changed_key
    )


def _passed_through_us(error: BaseException) -> bool:
    """Return whether this package or Django's auth code is in the error's traceback."""
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
