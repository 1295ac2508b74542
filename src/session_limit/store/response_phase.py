"""
What is done between a view's response and ``SessionMiddleware``: telling, saving,
recording. Sync throughout; the middleware gives it one thread where it is needed.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import cast

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.functional import SimpleLazyObject, empty

from session_limit import registry
from session_limit.client import known_browsers, request_kind
from session_limit.conf import NewSignIn, conf
from session_limit.models import UserSession
from session_limit.pages import chooser, links, new_sign_in, responses
from session_limit.policy import AtLimit
from session_limit.store import database_conflicts, engines, queries
from session_limit.store.guarded import GuardedSession
from session_limit.store.queries import Row
from session_limit.store.request import GuardedRequest
from session_limit.store.state import Refusal, SessionState, state_of
from session_limit.store.users import has_backend, lazy_user, make_anonymous, user_of
from session_limit.utils import request_log

Reason = UserSession.Reason

FORGETTING = registry.BestEffort("Recording that an ending was explained")


def is_needed(request: HttpRequest, response: HttpResponseBase) -> bool:
    """
    Whether there is anything to do. Reads nothing: a request that did not touch its
    session, or only read a live one, is left alone.
    """
    state = state_of(request)
    if state is None:
        return False
    if state.in_conflict:
        return True
    session = cast("GuardedSession", request.session)
    if not session.accessed and not settings.SESSION_SAVE_EVERY_REQUEST:
        return False
    return bool(
        state.refusal
        or state.ended
        or state.missing
        or state.overtaken
        or _is_to_be_saved(session, response)
        or (state.row and state.row.is_touch_due(timezone.now()))
        or (state.row and _lost_user(request))
        or _is_news_due(request, response, state)
    )


def finish(request: GuardedRequest, response: HttpResponseBase) -> HttpResponseBase:
    """
    Return the response to give, with the session saved or let be. If the database gives
    up on a statement of this function, the response is a 503 that asks to try again.
    """
    state = state_of(request)
    if state is not None and state.in_conflict:
        return database_conflicts.retry(request, response)
    try:
        return _finish(request, response)
    except (OperationalError, UpdateError) as error:
        if not registry.is_retryable(error):
            raise
        return database_conflicts.retry(request, response)


def _finish(request: GuardedRequest, response: HttpResponseBase) -> HttpResponseBase:
    session = cast("GuardedSession", request.session)
    session.keys()  # SESSION_SAVE_EVERY_REQUEST saves what nobody has read
    state = session.session_limit_state
    if state.refusal is not None:
        answer = _refused(request, response, session, state.refusal)
        request_log.keep_out(answer)
        return answer
    if state.row is not None and not state.admitted and _lost_user(request):
        _end_disabled(session)
    if (state.ended or state.missing) and not state.overtaken:
        return _over(request, response, session)
    if state.row is not None and _is_news_due(request, response, state):
        # A message may go into the session.
        new_sign_in.leave_message(request, response, state.row)
    if _is_to_be_saved(session, response):
        _save(session)
    if state.overtaken:
        # Not this answer's to take the cookie away: another tab may just have got
        # a new one.
        session.leave_untouched()
        make_anonymous(request)
        return responses.ended(request, response, request.session_limit.ended)
    if state.row is not None and not state.inert:
        _touch(session, state.row)
        if state.admitted or state.adopted:
            _remember_browser(request, response, state.row)
    if state.admitted:
        chooser.forget(request, response)
    return response


def _is_to_be_saved(session: GuardedSession, response: HttpResponseBase) -> bool:
    """Whether ``SessionMiddleware`` is going to save it."""
    return (
        (session.modified or settings.SESSION_SAVE_EVERY_REQUEST)
        and not session.is_empty()
        and response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _save(session: GuardedSession) -> None:
    """
    Save now: a session that ended under a request that writes to it deserves the
    reason, not ``SessionInterrupted``'s bare 400.
    """
    state = session.session_limit_state
    if not _saving_tells(session) and not _stands(session):
        return
    try:
        registry.retry_conflicts(session.save_for_response)
    except UpdateError as error:
        if registry.is_retryable(error):
            raise
        if state.row is not None:
            _explain_unsaved(session)
        # Else it is not ours: SessionMiddleware meets the same, and says so.


def _saving_tells(session: GuardedSession) -> bool:
    """Whether saving fails where the session has ended, or was never admitted."""
    state, engine = session.session_limit_state, session.engine
    if state.row is None:
        return True
    if state.adopted or engines.is_cookie(engine):
        return False
    # What is stored elsewhere outlives the row that was rolled back.
    return not state.admitted or queries.shares_transactions(engine)


def _stands(session: GuardedSession) -> bool:
    """Whether the session is live still. Undoes what has to be if not."""
    row = _row(session.session_limit_state)
    if row is None and session.session_limit_state.admitted:
        session.undo_sign_in()
    elif row is None:
        session.leave_untouched()
    elif not row.is_live:
        session.overtake()
    return row is not None and row.is_live


def _explain_unsaved(session: GuardedSession) -> None:
    """
    Find out why a session that was live could not be saved. Not every reason is an
    ending: Django calls every error of the database an ``UpdateError``.
    """
    row, key = _row(session.session_limit_state), session.session_key
    if row is None:
        # The sign-in was rolled back: the browser is where it was.
        session.leave_untouched()
    elif not row.is_live:
        session.overtake()
    elif row.session_key != key:
        # A rotation was rolled back, or another request's has overtaken this one.
        session.leave_untouched()
    elif not engines.exists(session, key):
        # Somebody deleted what was stored (clearsessions).
        registry.try_to_end(row.pk, Reason.EXPIRED)
        session.overtake(Reason.EXPIRED)


def _row(state: SessionState) -> UserSession | None:
    """Return the row of ``guard``, as it is now."""
    rows = UserSession.objects.primary()
    return rows.filter(pk=state.row.id).first() if state.row is not None else None


def _over(
    request: GuardedRequest, response: HttpResponseBase, session: GuardedSession
) -> HttpResponseBase:
    """Answer a request that presented an ended session, or a key that leads nowhere."""
    state = session.session_limit_state
    is_barred = links.is_barred(response)
    writes = _is_to_be_saved(session, response)
    if is_barred or writes:
        state.identify()
    if is_barred and state.ended:
        response = responses.ended(request, response, request.session_limit.ended)
        if request_kind.is_acted_on(request):
            # The browser's next request is then an ordinary visitor's.
            session.forget_ended()
            if not writes:
                _save_if_possible(session)
            return response
    is_unknown = state.identified and not state.ended and not state.is_live_elsewhere
    if not writes and not (is_unknown and request_kind.is_acted_on(request)):
        session.leave_untouched()
    return response


def _save_if_possible(session: GuardedSession) -> None:
    """
    Save an anonymous session that no longer remembers which session ended. If the
    database does not take the write, the next answer explains the ending again.
    """
    if session.is_empty():
        return
    # Django's database engines report most errors of the database as UpdateError.
    with suppress(UpdateError):
        FORGETTING.attempt(session.save_for_response)
    if session.session_limit_state.saved is None:
        session.leave_untouched()


def _refused(
    request: GuardedRequest,
    response: HttpResponseBase,
    session: GuardedSession,
    refusal: Refusal,
) -> HttpResponseBase:
    session.restore_anonymous()
    if refusal.admission is None:
        ended = request.session_limit.ended
        to_choose = session.session_limit_state.ended_id
        return responses.ended(request, response, ended, to_choose=to_choose)
    if refusal.admission.is_gone:
        return responses.no_pending_sign_in(request, response)
    registry.announce_limit_reached(refusal.user, refusal.admission)
    if refusal.admission.at_limit is AtLimit.ASK and links.url_of(links.CHOOSE_VIEW):
        return _asked(request, response, session, refusal, refusal.admission)
    return responses.refused(request, response, refusal.admission)


def _asked(
    request: GuardedRequest,
    response: HttpResponseBase,
    session: GuardedSession,
    refusal: Refusal,
    admission: registry.Admission,
) -> HttpResponseBase:
    browser, choice = chooser.browser(request), session.session_limit_state.choice
    if choice is not None and browser.secret is not None:
        # What was chosen did not make room.
        pending, secret = choice.pending, browser.secret
    else:
        pending, secret = registry.create_pending(
            refusal.user,
            refusal.left,
            browser,
            scope=admission.scope,
            next_url=links.after_sign_in(request),
        )
    question = chooser.Question(pending, secret, admission.limit, admission.rivals)
    answer = responses.asked(request, response, question)
    chooser.set_cookie(answer, secret, pending.expires_at)
    return answer


def _lost_user(request: HttpRequest) -> bool:
    """Whether somebody asked who this is, and a session signed in was nobody's."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject) and user._wrapped is empty:  # noqa: SLF001 evaluates nothing
        user = getattr(request, "_acached_user", None)
    return user is not None and not getattr(user, "is_authenticated", True)


def _end_disabled(session: GuardedSession) -> None:
    """
    End it if that is because its account was disabled: by ``update()``, say, which
    sends no signal.
    """
    row = session.session_limit_state.row
    if row is not None and has_backend(session) and user_of(session) is None:
        registry.try_to_end(row.id, Reason.ACCOUNT_DISABLED)
        session.mark_ended(row.id, Reason.ACCOUNT_DISABLED)


def _is_news_due(
    request: HttpRequest, response: HttpResponseBase, state: SessionState
) -> bool:
    return (
        state.row is not None
        and state.row.notice is not None
        and new_sign_in.can_leave_message(request, response)
    )


def _remember_browser(
    request: HttpRequest, response: HttpResponseBase, row: Row
) -> None:
    """
    Know it when this user next signs in with it. Not an administrator's, who is signed
    in as somebody.
    """
    if row.counted and conf.new_sign_in is not NewSignIn.NONE:
        known_browsers.remember(request, response, row.user_id)


def _touch(session: GuardedSession, row: Row) -> None:
    """Record activity, and an expiry that has been set since or slides."""
    # Lazy: who it is, only a project's rules may want to know.
    owner = lazy_user(row.user_id)
    state = session.session_limit_state
    is_saved = state.saved is not None
    registry.touch(row, session, owner, is_saved=is_saved)
    session_hash = session.get(HASH_SESSION_KEY)
    has_new_hash = state.loaded_hash not in {None, session_hash}
    if is_saved and has_new_hash and not state.admitted:
        registry.renewed(row, owner, state.loaded_hash or "", session_hash or "")
