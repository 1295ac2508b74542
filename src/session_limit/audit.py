"""
The log ``session_limit``: one JSON object a line, named as the OWASP Logging
Vocabulary names events. No session key; JSON escapes control characters, so nothing a
client sends can begin a line of its own (ASVS 16.4.1).
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from session_limit.models import Play, UserSession
from session_limit.policy import AtLimit

logger = logging.getLogger("session_limit")

_SIGNED_OUT = UserSession.Reason.SIGNED_OUT


def _write(level: int, event: str, **details: Any) -> None:
    if logger.isEnabledFor(level):
        present = {name: value for name, value in details.items() if value}
        logger.log(level, "%s", json.dumps({"event": event, **present}, default=str))


def started(session: UserSession) -> None:
    _write(
        logging.INFO,
        f"session_created:{session.user_id}",
        session=session.pk,
        scope=session.scope,
        device=session.device,
        address=session.address,
    )


def renewed(user_id: Any, session_id: UUID) -> None:
    _write(logging.INFO, f"session_renewed:{user_id}", session=session_id)


def ended(session: UserSession) -> None:
    user, reason = session.user_id, session.ended_reason
    event = (
        f"session_logout:{user}"
        if reason == _SIGNED_OUT
        else f"session_expired:{user},{reason}"
    )
    _write(
        logging.INFO,
        event,
        session=session.pk,
        scope=session.scope,
        by=session.ended_by,
        by_session=session.ended_by_session,
    )


def limit_reached(
    user_id: Any,
    *,
    scope: str,
    limit: int | None,
    at_limit: AtLimit | None,
    session_id: UUID | None,
) -> None:
    _write(
        logging.WARNING,
        f"excess_sessions_exceeded:{user_id},{limit}",
        at_limit=at_limit,
        scope=scope,
        session=session_id,
    )


def play_started(play: Play) -> None:
    _write(
        logging.INFO,
        f"play_started:{play.user_id}",
        play=play.pk,
        session=play.session_id,
        scope=play.scope,
        what=play.what,
    )


def play_ended(play: Play) -> None:
    _write(
        logging.INFO,
        f"play_ended:{play.user_id},{play.ended_reason}",
        play=play.pk,
        session=play.session_id,
        by_play=play.ended_by_play,
    )


def play_limit_reached(
    user_id: Any,
    *,
    scope: str,
    limit: int | None,
    at_limit: AtLimit | None,
    play_id: UUID | None,
) -> None:
    _write(
        logging.WARNING,
        f"excess_plays_exceeded:{user_id},{limit}",
        at_limit=at_limit,
        scope=scope,
        play=play_id,
    )


def used_after_end(session: UserSession) -> None:
    _write(
        logging.INFO,
        f"session_use_after_expire:{session.user_id}",
        session=session.pk,
        reason=session.ended_reason,
    )


def limit_changed(
    user_id: Any, was: int | None, limit: int | None, by: AbstractBaseUser | None
) -> None:
    _write(
        logging.WARNING,
        f"session_limit_changed:{user_id},{was},{limit}",
        by=by and by.pk,
    )


def viewed(
    user_id: Any, *, by: AbstractBaseUser, session: UserSession | None = None
) -> None:
    """Somebody looked at sessions of a user: at all live ones, or at one."""
    _write(
        logging.INFO,
        f"sessions_viewed:{user_id}",
        by=by.pk,
        session=session and session.pk,
    )
