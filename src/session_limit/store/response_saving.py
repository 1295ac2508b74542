"""Save a session in the response phase, and find out why one could not be saved."""

from __future__ import annotations

from contextlib import suppress

from django.contrib.sessions.backends.base import UpdateError

from session_limit.models import UserSession
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.ending import try_to_end
from session_limit.registry.transactions import is_retryable, retry_conflicts
from session_limit.store import engines, queries
from session_limit.store.guarded import GuardedSession

FORGETTING = BestEffort("Recording that an ending was explained")


def save(session: GuardedSession) -> None:
    """
    Save ``session`` before ``SessionMiddleware`` does.

    If the session ended during the request, the response can then give the reason.
    ``SessionMiddleware`` would raise ``SessionInterrupted``, which is a bare 400.
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
        # SessionMiddleware fails to save an anonymous session too, and reports it.


def save_if_possible(session: GuardedSession) -> None:
    """
    Save an anonymous session that no longer remembers which session ended. If the
    database refuses the write, the next response explains the ending again.
    """
    if session.is_empty():
        return
    # Django's database engines report most errors of the database as UpdateError.
    with suppress(UpdateError):
        FORGETTING.attempt(session.save_for_response)
    if session.session_limit_state.response.saved is None:
        session.leave_untouched()


def _save_detects_ending(session: GuardedSession) -> bool:
    """Return whether saving fails if the session has ended or was rolled back."""
    state, engine = session.session_limit_state, session.engine
    if state.row is None:
        return True
    if state.sign_in.adopted or engines.is_cookie(engine):
        return False
    # Other stores keep the session after the row of its sign-in was rolled back.
    return not state.sign_in.admitted or queries.shares_transactions(engine)


def _is_still_live(session: GuardedSession) -> bool:
    """
    Return whether the session is live. If it is not, undo its sign-in, leave it
    untouched, or mark it as ended.
    """
    row = _read_row(session)
    if row is None and session.session_limit_state.sign_in.admitted:
        # The store rolls nothing back. The client keeps the cookie that it has.
        engines.forget_user(session)
        session.restore_anonymous()
    elif row is None:
        session.leave_untouched()
    elif not row.is_live:
        session.mark_ended(row.pk, during_request=True)
    return row is not None and row.is_live


def _explain_failure(session: GuardedSession) -> None:
    """
    Find out why a session that was live could not be saved. It need not have ended,
    because Django raises ``UpdateError`` for every error of the database.
    """
    row, key = _read_row(session), session.session_key
    if row is None:
        # The sign-in was rolled back, so the browser is where it was.
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
    """Return the row of ``session`` as it is now."""
    row = session.session_limit_state.row
    rows = UserSession.objects.primary()
    return rows.filter(pk=row.id).first() if row is not None else None
