"""
Report sessions, playbacks and limits to the message bus, audit log and signals.

The caller must call these functions after the commit, with ``after_commit()``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import QuerySet

from session_limit import audit, bus, signals
from session_limit.models import EndReason, Play, PlayEndReason, UserSession
from session_limit.registry.outcomes import Admission, PlayStart


def sessions_ended(rows: Collection[UserSession] | QuerySet[UserSession]) -> None:
    """Report ended sessions to the message bus, the audit log and signal receivers."""
    if rows:
        bus.publish([row.pk for row in rows])
    for row in rows:
        audit.ended(row)
        signals.session_ended.send_robust(
            sender=UserSession,
            session=row,
            reason=EndReason(row.ended_reason),
            by=row.ended_by,
            by_session=row.ended_by_session,
        )


def plays_ended(rows: Collection[Play] | QuerySet[Play]) -> None:
    """Report ended playbacks to the message bus, the audit log and signal receivers."""
    if heard := [row.session_id for row in rows if row.ended_reason in Play.HEARD]:
        bus.publish(heard)
    for row in rows:
        audit.play_ended(row)
        signals.play_ended.send_robust(
            sender=Play,
            play=row,
            reason=PlayEndReason(row.ended_reason),
            by_play=row.ended_by_play,
        )


def play_started(row: Play) -> None:
    """Report a started playback to the audit log and signal receivers."""
    audit.play_started(row)
    signals.play_started.send_robust(sender=Play, play=row)


def limit_reached(user: AbstractBaseUser, outcome: Admission | PlayStart) -> None:
    """Report to the audit log and signal receivers that a limit was reached."""
    facts: dict[str, Any] = {"at_limit": outcome.at_limit, "scope": outcome.scope}
    limit = outcome.limit
    if isinstance(outcome, Admission):
        audit.limit_reached(user.pk, limit, **facts, session=outcome.id)
        facts |= {"user": user, "limit": limit, "session_id": outcome.id}
        signals.limit_reached.send_robust(sender=UserSession, **facts)
    else:
        audit.play_limit_reached(user.pk, limit, **facts, play=outcome.id)
        facts |= {"user": user, "limit": limit, "play_id": outcome.id}
        signals.play_limit_reached.send_robust(sender=Play, **facts)
