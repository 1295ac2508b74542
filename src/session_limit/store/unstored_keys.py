"""Find the session to which a session key without stored data belongs."""

from __future__ import annotations

from session_limit.registry.ending import try_to_end
from session_limit.store import engines, queries
from session_limit.store.state import Found, Kind, SessionState
from session_limit.utils.clock import utc_now


def identify_key(state: SessionState) -> None:
    """
    Find the session to which a cookie without stored data belongs.

    The result is recorded in ``state.found``. This function looks up the digest of the
    session key in the ``UserSession`` table, at most once per request.
    """
    if state.found.kind is not Kind.NOT_STORED:
        return
    key = state.presented_key
    row = None
    if key is not None and engines.may_have_stored(key):
        row = queries.read_by_digest(key)
    if row is None:
        state.found = Found(Kind.UNKNOWN_KEY)
        return
    reason = row.why_not_live(utc_now())
    if reason is None:
        # The session is live: a replica may lag, or a cache may be unreachable.
        state.found = Found(Kind.NOT_STORED_BUT_LIVE)
        return
    if reason:
        try_to_end(row.id, reason)
    state.found = Found(Kind.ENDED, ended_id=row.id, ended_reason=reason or None)
