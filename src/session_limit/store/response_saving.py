"""Save a session before the response is sent, and find out why a save failed."""

from __future__ import annotations

from contextlib import suppress

from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest

from session_limit.client import request_kind
from session_limit.models import UserSession
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.ending import try_to_end
from session_limit.registry.transactions import is_retryable, retry_conflicts
from session_limit.store import engines
from session_limit.store.guarded import GuardedSession
from session_limit.store.state import ResponseRecord
from session_limit.store.stored_data import shares_transactions

FORGETTING = BestEffort("Recording that an ending was explained")


def save(session: GuardedSession) -> None:
    """
    Save ``session`` before ``SessionMiddleware`` does, and detect its ending.

    The response can then explain why the session ended during the request. If
    ``SessionMiddleware`` found the ending, Django would send a 400 response without an
    explanation (``SessionInterrupted``).
    """
    if not _save_detects_ending(session) and not _is_still_live(session):
        return
    try:
        retry_conflicts(session.save_for_response)
    except UpdateError as error:
        if is_retryable(error):
            raise
        if session.session_limit_state.row is not None:
            _explain_failure(session)
        # SessionMiddleware cannot save an anonymous session either, and reports the
        # error.


def save_page(request: HttpRequest, session: GuardedSession) -> None:
    """
    Save what a page that replaces a view's response has written into ``session``.

    For example, a layout may contain a form that needs a token, or show messages. A
    page that no person sees writes nothing.

    After a refused sign-in, the browser gets no cookie if the session keeps its key.
    """
    state = session.session_limit_state
    if (
        not session.modified
        or state.found.ended_during_request
        or not request_kind.shows_explanation(request)
    ):
        return
    was_restored, state.response = state.response.untouched, ResponseRecord()
    key = session.session_key
    keeps_key = key is not None and key == state.loaded_key
    if was_restored and not keeps_key:
        # restore_anonymous() has deleted what the sign-in had stored under this key.
        session._session_key = None
    save_if_possible(session)
    if was_restored and keeps_key and not engines.is_cookie(session.engine):
        session.leave_untouched()


def restore(session: GuardedSession) -> None:
    """Restore the session that the browser had before a refused sign-in."""
    state = session.session_limit_state
    if state.sign_in.restored and session.modified:
        # The request had changed the session of somebody else before login().
        save(session)
    if not state.sign_in.restored or session.session_key in {None, state.presented_key}:
        # Otherwise, the other person signed in by this request and gets a cookie.
        session.restore_before_login()


def save_if_possible(session: GuardedSession) -> None:
    """
    Save a session, and ignore database errors.

    The caller must have removed the id of an ended session from the data. If the save
    fails, the next response explains the ending again.
    """
    if session.is_empty():
        return
    # Django's database engines raise UpdateError for most database errors.
    with suppress(UpdateError):
        FORGETTING.attempt(session.save_for_response)
    if session.session_limit_state.response.saved is None:
        session.leave_untouched()


def _save_detects_ending(session: GuardedSession) -> bool:
    """Return whether saving fails for a session that has ended or was rolled back."""
    state, engine = session.session_limit_state, session.engine
    if state.row is None:
        return True
    if state.sign_in.adopted or engines.is_cookie(engine):
        return False
    # Other stores still have the session after the row of its sign-in was rolled back.
    return not state.sign_in.admitted or shares_transactions(engine)


def _is_still_live(session: GuardedSession) -> bool:
    """
    Return whether the session is still live according to its ``UserSession`` row.

    If the row has ended, mark ``session`` as ended. If the row was rolled back, restore
    the session that the browser had before.
    """
    row = _read_row(session)
    if row is None and session.session_limit_state.sign_in.admitted:
        # This store does not take part in the rollback. The client keeps its present
        # cookie.
        engines.forget_user(session)
        session.restore_before_login()
    elif row is None:
        session.leave_untouched()
    elif not row.is_live:
        session.mark_ended(row.pk, during_request=True)
    return row is not None and row.is_live


def _explain_failure(session: GuardedSession) -> None:
    """
    Mark ``session`` as ended if it could not be saved because it has ended.

    The session may be live, because every database error raises ``UpdateError``.
    """
    row, key = _read_row(session), session.session_key
    if row is None:
        # The sign-in was rolled back, so the browser still has its previous session.
        session.leave_untouched()
    elif not row.is_live:
        session.mark_ended(row.pk, during_request=True)
    elif row.session_key != key:
        # The new key was rolled back, or another request has changed it again.
        session.leave_untouched()
    elif not engines.exists(session, key):
        # Something has deleted the stored session (clearsessions).
        reason = UserSession.Reason.EXPIRED
        try_to_end(row.pk, reason)
        session.mark_ended(row.pk, reason, during_request=True)


def _read_row(session: GuardedSession) -> UserSession | None:
    row = session.session_limit_state.row
    rows = UserSession.objects.primary()
    return rows.filter(pk=row.id).first() if row is not None else None
