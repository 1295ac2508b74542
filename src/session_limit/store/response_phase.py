"""
Save sessions, and explain ended sessions and refused sign-ins in the response.

All functions are sync. The async middleware runs ``finish()`` in a thread if needed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject, empty

from session_limit.client import browser_cookie, request_kind
from session_limit.conf import NewSignIn, conf
from session_limit.models import EndReason, UserSession
from session_limit.pages import barriers, chooser, new_sign_in, responses
from session_limit.pages.rendering import Page
from session_limit.registry.activity import touch
from session_limit.registry.ending import try_to_end
from session_limit.registry.reauthentication import renewed
from session_limit.registry.transactions import is_retryable
from session_limit.rules import get_rules
from session_limit.store import (
    database_conflicts,
    engines,
    refusals,
    response_saving,
    second_pass,
)
from session_limit.store.guarded import GuardedSession
from session_limit.store.liveness import Row
from session_limit.store.second_pass import Replacement
from session_limit.store.state import ANSWERED, STATE, Kind, SessionState, state_of
from session_limit.store.unstored_keys import identify_key
from session_limit.store.users import has_backend, lazy_user, make_anonymous, user_of
from session_limit.utils import request_log
from session_limit.utils.clock import utc_now
from session_limit.utils.process_cache import decided_by_settings

if TYPE_CHECKING:
    from session_limit.request import GuardedRequest


def begin(request: HttpRequest, response: HttpResponseBase) -> bool:
    """
    Record that ``response`` is decided, and return whether to call ``finish()``.

    The call is not needed if the request read no session, or only read a live session.
    This function does not read the database.
    """
    vars(request)[ANSWERED] = True
    session = getattr(request, "session", None)
    if not isinstance(session, GuardedSession):
        return False
    if STATE not in vars(session) and not _saves_always():
        return False
    state = session.session_limit_state
    state.forget_user()
    if state.in_conflict:
        return True
    if not session.accessed and not _saves_always():
        return False
    if state.signs_in and (
        state.sign_in.refusal or state.replaced or _is_sign_in_lost(state, response)
    ):
        return True
    return (
        state.found.is_ended
        or state.found.is_not_stored
        or _is_to_be_saved(session, response)
        or (state.row is not None and _is_touch_due(request, state.row))
        or (state.row is not None and _lost_user(request))
        or _is_notice_due(request, response, state)
    )


@decided_by_settings
def _saves_always() -> bool:
    # Each public page would read this setting, which costs as much as the rest.
    return settings.SESSION_SAVE_EVERY_REQUEST


def finish(
    request: GuardedRequest, response: HttpResponseBase
) -> HttpResponseBase | Replacement:
    """
    Save the session if necessary, and return the response to send.

    The returned response may explain why the session ended or why a sign-in was
    refused. After a database conflict, the response (503) asks the client to try again.

    If the result is a ``Replacement``, the caller must pass the request through the
    middleware once more, and then call ``complete()``.
    """
    state = state_of(request)
    if state is not None and state.in_conflict:
        return database_conflicts.retry(request, response)
    if state is not None and _is_sign_in_lost(state, response):
        cast("GuardedSession", request.session).give_up()
        return response
    try:
        return _finish(request, response)
    except (OperationalError, UpdateError) as error:
        if not is_retryable(error):
            raise
        return database_conflicts.retry(request, response)


def complete(
    request: GuardedRequest, replacement: Replacement, second: HttpResponseBase
) -> HttpResponseBase:
    """Return the response to send after the second pass has returned ``second``."""
    answer = second_pass.finish(request, replacement, second)
    _settle(request, answer)
    return answer


def _finish(
    request: GuardedRequest, response: HttpResponseBase
) -> HttpResponseBase | Replacement:
    session = cast("GuardedSession", request.session)
    session.keys()  # loads a session that no code has read but that is to be saved
    session.restore_after_error()
    state = session.session_limit_state
    if state.sign_in.refusal is not None:
        answer = refusals.explain(request, response, session, state.sign_in.refusal)
        return _replace(request, response, answer)
    if state.row is not None and not state.sign_in.admitted and _lost_user(request):
        _end_disabled(session, state.row)
    found = state.found
    if found.is_not_stored or (found.is_ended and not found.ended_during_request):
        return _explain_ending(request, response, session)
    if state.row is not None and _is_notice_due(request, response, state):
        # This may write a message into the session.
        new_sign_in.leave_message(request, response, state.row)
    if _is_to_be_saved(session, response):
        response_saving.save(session)
    if state.found.ended_during_request:
        # Keep the cookie, because another tab may just have received a new one.
        session.leave_untouched()
        make_anonymous(request)
        ended = request.session_limit.ended
        answer = responses.ended(request, response, ended)
        return _replace(request, response, answer)
    if state.row is not None and not state.response.untouched:
        _touch(request, session, state.row)
        if state.sign_in.admitted or state.sign_in.adopted:
            _remember_browser(request, response, state.row)
    if state.sign_in.admitted:
        chooser.forget(request, response)
    return response


def _is_to_be_saved(session: GuardedSession, response: HttpResponseBase) -> bool:
    """Return whether ``SessionMiddleware`` will save ``session`` with the response."""
    return (
        (session.modified or settings.SESSION_SAVE_EVERY_REQUEST)
        and not session.is_empty()
        and not _is_server_error(response)
    )


def _is_server_error(response: HttpResponseBase) -> bool:
    return response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR


def _is_sign_in_lost(state: SessionState, response: HttpResponseBase) -> bool:
    """
    Return whether no browser will receive the cookie of the session that has begun.

    ``SessionMiddleware`` sets no cookie if a view fails after ``login()``. Under
    ``deny``, a session that nobody can use would lock its user out.
    """
    sign_in, before = state.sign_in, state.sign_in.before_login
    return (
        _is_server_error(response)
        and sign_in.admitted
        and sign_in.refusal is None
        and before is not None
        and before.began(engines.ID)
    )


def _explain_ending(
    request: GuardedRequest, response: HttpResponseBase, session: GuardedSession
) -> HttpResponseBase | Replacement:
    """
    Return a response that explains why the session ended, if access was denied.

    Return ``response`` itself if the session has not ended or access was not denied. A
    header still says that the session has ended.
    """
    state = session.session_limit_state
    is_acted_on = request_kind.is_acted_on(request)
    is_saved = _is_to_be_saved(session, response)
    identify_key(state)
    is_barred = state.found.is_ended and barriers.is_barred(request, response)
    is_explained = is_barred and request_kind.shows_explanation(request)
    is_unknown = state.found.kind is Kind.UNKNOWN_KEY
    if not is_saved and not (is_explained or (is_acted_on and is_unknown)):
        session.leave_untouched()
    if not state.found.is_ended:
        return response
    ended = request.session_limit.ended
    if not is_barred:
        responses.mention_ending(request, response, ended)
        return response
    answer = responses.ended(request, response, ended)
    if is_explained:
        # Treat the next request of this browser as an ordinary visitor's.
        session.forget_ended()
    return _replace(request, response, answer)


def _replace(
    request: GuardedRequest, response: HttpResponseBase, answer: HttpResponse
) -> HttpResponseBase | Replacement:
    """Return ``answer`` in place of ``response``, or a page that is to be rendered."""
    if isinstance(answer, Page):
        if second_pass.begin(request, answer, response):
            return Replacement(answer, response)
        second_pass.render_outside(request, answer, response)
    responses.replace(response, answer)
    _settle(request, answer)
    return answer


def _settle(request: GuardedRequest, answer: HttpResponseBase) -> None:
    """Save the session after ``answer`` has replaced the view's response."""
    session = cast("GuardedSession", request.session)
    response_saving.save_page(request, session)
    if session.session_limit_state.sign_in.refusal is not None:
        request_log.keep_out(answer)


def _lost_user(request: HttpRequest) -> bool:
    """Return whether ``request.user`` has been loaded and is anonymous."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject) and user._wrapped is empty:  # noqa: SLF001 evaluates nothing
        user = vars(request).get("_acached_user")
    return user is not None and not getattr(user, "is_authenticated", True)


def _end_disabled(session: GuardedSession, row: Row) -> None:
    """End the session if its account was disabled without a signal from Django."""
    # For example, a queryset's update() sends no signal.
    if has_backend(session) and user_of(session) is None:
        try_to_end(row.id, UserSession.Reason.ACCOUNT_DISABLED)
        session.mark_ended(row.id, UserSession.Reason.ACCOUNT_DISABLED)


def _is_notice_due(
    request: HttpRequest, response: HttpResponseBase, state: SessionState
) -> bool:
    """Return whether ``response`` should show a notice of a newer sign-in."""
    is_waiting = state.row is not None and state.row.notice is not None
    return is_waiting and new_sign_in.can_leave_message(request, response)


def _remember_browser(
    request: HttpRequest, response: HttpResponseBase, row: Row
) -> None:
    """Record in a cookie that this user has signed in with this browser."""
    # In a session that does not count towards the limit, an administrator may be signed
    # in as the user.
    if row.counted and conf.new_sign_in is not NewSignIn.NONE:
        browser_cookie.remember(request, response, row.user_id)


def _is_touch_due(request: HttpRequest, row: Row) -> bool:
    """Return whether ``request`` is activity that has to be recorded."""
    return row.is_touch_due(utc_now()) and _is_activity(request, row)


def _is_activity(request: HttpRequest, row: Row) -> bool:
    """Return whether ``request`` postpones the expiry of its session."""
    return row.expires_reason != EndReason.IDLE or get_rules().is_activity(request)


def _touch(request: HttpRequest, session: GuardedSession, row: Row) -> None:
    """Record the session's activity and changes to its expiry and credentials."""
    # The user is read from the database only if the project's Rules use it.
    user, state = lazy_user(row.user_id), session.session_limit_state
    is_saved = state.response.saved is not None
    is_active = _is_activity(request, row)
    touch(row, session, user, is_saved=is_saved, is_active=is_active)
    former_hash, session_hash = state.found.session_hash, session.get(HASH_SESSION_KEY)
    if is_saved and former_hash not in {None, session_hash}:
        renewed(row, user, former_hash or "", session_hash or "")
