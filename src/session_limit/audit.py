"""
Write the audit log to the logger ``session_limit``, as one JSON object per line.

The names of events follow the OWASP Logging Vocabulary. No line contains a session key.
JSON escapes control characters, so a client cannot forge a line (ASVS 16.4.1).
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from session_limit.models import EndReason, Play, UserSession

logger = logging.getLogger("session_limit")


def _write(
    event: str,
    row: UserSession | Play | None = None,
    *columns: str,
    level: int = logging.INFO,
    **details: Any,
) -> None:
    """
    Write an event, such as "play_ended:7,stopped", to the audit log.

    The log line contains the ids of ``row``, the values of the given ``columns`` of
    ``row``, and ``details``. Empty values are omitted.
    """
    ids = {"session": row and row.pk}
    if isinstance(row, Play):
        ids = {"play": row.pk, "session": row.session_id}
    if logger.isEnabledFor(level):
        details = ids | {name: getattr(row, name) for name in columns} | details
        present = {name: value for name, value in details.items() if value}
        logger.log(level, "%s", json.dumps({"event": event, **present}, default=str))


def started(session: UserSession) -> None:
    """Log that a new session has been recorded."""
    event = f"session_created:{session.user_id}"
    _write(event, session, "scope", "device", "address")


def renewed(user_id: Any, session_id: UUID) -> None:
    """Log that the user re-authenticated in the session with the id ``session_id``."""
    _write(f"session_renewed:{user_id}", session=session_id)


def ended(session: UserSession) -> None:
    """Log that ``session`` has ended, and why."""
    if session.ended_reason == EndReason.SIGNED_OUT:
        event = f"session_logout:{session.user_id}"
    else:
        event = f"session_expired:{session.user_id},{session.ended_reason}"
    by, by_session = session.ended_by, session.ended_by_session
    _write(event, session, "scope", by=by, by_session=by_session)


def limit_reached(user_id: Any, limit: int | None, **details: Any) -> None:
    """
    Log that a sign-in exceeded the user's session limit.

    ``details`` describe how the package reacted, such as ``at_limit="deny"``.
    """
    event = f"excess_sessions_exceeded:{user_id},{limit}"
    _write(event, level=logging.WARNING, **details)


def play_started(play: Play) -> None:
    """Log that a user started to play limited content."""
    _write(f"play_started:{play.user_id}", play, "scope", "what")


def play_ended(play: Play) -> None:
    """Log that the playback of limited content has ended, and why."""
    event = f"play_ended:{play.user_id},{play.ended_reason}"
    _write(event, play, by_play=play.ended_by_play)


def play_limit_reached(user_id: Any, limit: int | None, **details: Any) -> None:
    """
    Log that the start of a play exceeded the user's limit of simultaneous plays.

    ``details`` describe how the package reacted, such as ``at_limit="deny"``.
    """
    event = f"excess_plays_exceeded:{user_id},{limit}"
    _write(event, level=logging.WARNING, **details)


def used_after_end(session: UserSession) -> None:
    """Log that a browser used an ended session and received an explanation."""
    event = f"session_use_after_expire:{session.user_id}"
    _write(event, session, reason=session.ended_reason)


def limit_changed(
    user_id: Any, was: int | None, limit: int | None, by: AbstractBaseUser | None
) -> None:
    """Log who changed a user's session limit, with the old and the new limit."""
    event = f"session_limit_changed:{user_id},{was},{limit}"
    _write(event, level=logging.WARNING, by=by and by.pk)


def viewed(
    user_id: Any, *, by: AbstractBaseUser, session: UserSession | None = None
) -> None:
    """Log that an administrator viewed one or all of a user's sessions."""
    _write(f"sessions_viewed:{user_id}", session, by=by.pk)
