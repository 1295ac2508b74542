"""Build messages about ended sessions and playbacks, with facts from the database."""

from __future__ import annotations

from session_limit import registry
from session_limit.models import Play, UserSession
from session_limit.pages import messages, play_messages

Reason = UserSession.Reason


def ended_session(session: UserSession | None) -> messages.Message:
    """
    Return the message that explains why ``session`` ended.

    Pass ``None`` if the session's row was deleted. The message then gives no reason.
    """
    limit = newer = None
    reason = session.ended_reason if session is not None else ""
    if session is not None and reason in {Reason.DISPLACED, Reason.LIMIT_LOWERED}:
        limit = registry.limit_of(session.user, session.scope)
        by = session.ended_by_session
        if by is not None and reason == Reason.DISPLACED:
            newer = UserSession.objects.primary().filter(pk=by).first()
    device_class = newer.device_class if newer is not None else None
    return messages.ended(session, limit=limit, device_class=device_class)


def ended_play(play: Play) -> messages.Message:
    """Return the message that explains why the playback ``play`` has ended."""
    # A play with an expired lease is marked as ended only when another needs its place.
    play.ended_reason = play.end_reason()
    play.ended_at = play.ended_at or play.lease_until
    newer = None
    if play.ended_by_play is not None:
        by = Play.objects.primary().filter(pk=play.ended_by_play)
        sessions = UserSession.objects.primary()
        newer = sessions.filter(pk__in=by.values("session_id")).first()
    return play_messages.ended(play, newer)
