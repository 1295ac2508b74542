"""Find the ended session that a request presents."""

from __future__ import annotations

from django.utils import timezone

from session_limit.models import UserSession
from session_limit.registry.ending import try_to_end
from session_limit.store import engines, queries
from session_limit.store.state import Found, Kind, SessionState


def identify_key(state: SessionState) -> None:
    """
    Find the session that a key belongs to if the store holds nothing under it.

    Asks the registry by the key's digest, in one query and once for each request.
    """
    if state.found.kind is not Kind.NOT_STORED:
        return
    key = engines.storable(state.presented_key)
    row = queries.read_by_digest(key) if key is not None else None
    if row is None:
        state.found = Found(Kind.UNKNOWN_KEY)
        return
    reason = row.why_not_live(timezone.now())
    if reason is None:
        # The session goes on: a replica may lag, or a cache may be unreachable.
        state.found = Found(Kind.NOT_STORED_BUT_LIVE)
        return
    if reason:
        try_to_end(row.id, reason)
    state.found = Found(Kind.ENDED, ended_id=row.id, ended_reason=reason or None)


def tombstone(state: SessionState) -> UserSession | None:
    """
    Return the row of the ended session that the request presented, or ``None``.

    If its ending could not be written, the returned row has the time and the reason in
    memory only.
    """
    identify_key(state)
    found = state.found
    if found.ended_id is None:
        return None
    row = UserSession.objects.primary().filter(pk=found.ended_id).first()
    if row is not None and row.is_live:
        if found.ended_reason is None:
            return None
        row.ended_at, row.ended_reason = timezone.now(), found.ended_reason
    return row
