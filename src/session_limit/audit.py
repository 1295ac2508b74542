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

from session_limit.models import UserSession
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


def used_after_end(session: UserSession) -> None:
    _write(
        logging.INFO,
        f"session_use_after_expire:{session.user_id}",
        session=session.pk,
        reason=session.ended_reason,
    )
