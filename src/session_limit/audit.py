"""
Write the audit log: the logger ``session_limit``, one JSON object a line.

Events are named as in the OWASP Logging Vocabulary. No line holds a session key. JSON
escapes control characters, so nothing that a client sends can begin a line (ASVS
16.4.1).
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
    Write ``event`` with the ids of ``row``, and with those of its ``columns`` and of
    the ``details`` that have a value.
    """
    ids = {"session": row and row.pk}
    if isinstance(row, Play):
        ids = {"play": row.pk, "session": row.session_id}
    if logger.isEnabledFor(level):
        details = ids | {name: getattr(row, name) for name in columns} | details
        present = {name: value for name, value in details.items() if value}
        logger.log(level, "%s", json.dumps({"event": event, **present}, default=str))


def started(session: UserSession) -> None:
    """Write that a session was admitted."""
    event = f"session_created:{session.user_id}"
    _write(event, session, "scope", "device", "address")


def renewed(user_id: Any, session_id: UUID) -> None:
    """Write that credentials were given again in a session."""
    _write(f"session_renewed:{user_id}", session=session_id)


def ended(session: UserSession) -> None:
    """Write that a session ended."""
    if session.ended_reason == EndReason.SIGNED_OUT:
        event = f"session_logout:{session.user_id}"
    else:
        event = f"session_expired:{session.user_id},{session.ended_reason}"
    by, by_session = session.ended_by, session.ended_by_session
    _write(event, session, "scope", by=by, by_session=by_session)


def limit_reached(user_id: Any, limit: int | None, **details: Any) -> None:
    """Write that a sign-in met the limit. ``details`` say what became of it."""
    event = f"excess_sessions_exceeded:{user_id},{limit}"
    _write(event, level=logging.WARNING, **details)


def play_started(play: Play) -> None:
    """Write that a play was admitted."""
    _write(f"play_started:{play.user_id}", play, "scope", "what")


def play_ended(play: Play) -> None:
    """Write that a play ended."""
    event = f"play_ended:{play.user_id},{play.ended_reason}"
    _write(event, play, by_play=play.ended_by_play)


def play_limit_reached(user_id: Any, limit: int | None, **details: Any) -> None:
    """Write that a play met the limit. ``details`` say what became of it."""
    event = f"excess_plays_exceeded:{user_id},{limit}"
    _write(event, level=logging.WARNING, **details)


def used_after_end(session: UserSession) -> None:
    """Write that a browser presented an ended session and got an explanation."""
    event = f"session_use_after_expire:{session.user_id}"
    _write(event, session, reason=session.ended_reason)


def limit_changed(
    user_id: Any, was: int | None, limit: int | None, by: AbstractBaseUser | None
) -> None:
    """Write that ``by`` changed the limit of an account's own from ``was``."""
    event = f"session_limit_changed:{user_id},{was},{limit}"
    _write(event, level=logging.WARNING, by=by and by.pk)


def viewed(
    user_id: Any, *, by: AbstractBaseUser, session: UserSession | None = None
) -> None:
    """Write that ``by`` looked at a user's ``session``, or at all live ones."""
    _write(f"sessions_viewed:{user_id}", session, by=by.pk)
