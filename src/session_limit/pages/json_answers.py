"""
What is said of sessions in JSON. ``docs/reference/json.md`` is what clients rely on: a
change that breaks one of them is another version.
"""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy

from session_limit import registry
from session_limit.client.device import device_label
from session_limit.conf import conf
from session_limit.models import LEASE, Play, UserSession
from session_limit.pages import links, play_messages, play_swap
from session_limit.pages.messages import Message, Step
from session_limit.pages.overview import Overview
from session_limit.policy import AtLimit
from session_limit.registry.leases import INTERVAL
from session_limit.registry.pending import LISTED, Rivals

VERSION = 1


# In the order of their weight.
_LABELS = {
    Step.USE_HERE: gettext_lazy("Use here instead"),
    Step.SIGN_IN: gettext_lazy("Sign in"),
    Step.SECURE_ACCOUNT: gettext_lazy("Not you? Secure your account"),
    Step.SUPPORT: gettext_lazy("Contact support"),
}


def session_over(told: Message, sign_in_url: str) -> dict[str, Any]:
    """Return what the holder of an ended session's cookie is told."""
    urls = {
        Step.USE_HERE: sign_in_url,
        Step.SIGN_IN: sign_in_url,
        Step.SECURE_ACCOUNT: conf.secure_account_url,
        Step.SUPPORT: conf.support_url,
    }
    return {
        "version": VERSION,
        "code": "session_ended",
        "reason": told.reason,
        "heading": told.heading,
        "detail": told.text,
        "ended_at": told.ended_at,
        "device_class": told.device_class,
        "sign_in_url": sign_in_url,
        "actions": [
            {"step": step, "label": label, "url": urls[step]}
            for step, label in _LABELS.items()
            if step in told.steps and urls[step]
        ],
    }


def rival(session: UserSession) -> dict[str, Any]:
    """
    Return a session to somebody who has not been admitted: enough to choose by, and
    never from where it is used.
    """
    return {
        "id": session.pk,
        "device": session.device and device_label(session.device),
        "device_class": session.device_class,
        "signed_in_at": session.created_at,
        "last_active_at": session.last_active_at,
    }


def rivals(rivals: Rivals) -> dict[str, Any]:
    """Return the sessions that take the places, the most recently active first."""
    return {
        "count": rivals.count,
        "sessions": [rival(session) for session in rivals.listed[::-1]],
    }


def session(session: UserSession, current: UUID | None = None) -> dict[str, Any]:
    """Return a session to its owner; ``current`` is the id of the one that asks."""
    return {
        **rival(session),
        "address": session.address,
        "is_current": session.pk == current,
        "is_new": session.is_new,
    }


def ended_session(row: UserSession) -> dict[str, Any]:
    """Return a session that has ended, and why."""
    return {
        **session(row),
        "ended_at": row.ended_at,
        "reason": row.ended_reason,
        "ended_by_you": row.was_ended_by_owner,
    }


def overview(
    overview: Overview, *, next_url: str | None, previous_url: str | None
) -> dict[str, Any]:
    """
    Return a page of an account's sessions, and the addresses of its neighbours. The
    session that asks comes first of all.
    """
    current = overview.current.pk
    return {
        "limit": overview.limit,
        "in_use": overview.in_use,
        "count": overview.count,
        "next": next_url,
        "previous": previous_url,
        "retention_seconds": int(conf.retention.total_seconds()),
        "sessions": [session(row, current) for row in overview.sessions],
        "ended": [ended_session(row) for row in overview.ended],
    }


def playing(id: UUID) -> dict[str, Any]:
    """Return what a play that counts is told: when to ask again."""
    return {
        "version": VERSION,
        "code": "playing",
        "play": id,
        "interval": INTERVAL.total_seconds(),
        "lease": LEASE.total_seconds(),
    }


def play_refused(
    start: registry.PlayStart,
    sessions: dict[UUID, UserSession],
    current: UUID,
) -> dict[str, Any]:
    """
    Return why the session with the id ``current`` may not play: the rivals, of their
    ``sessions``, each with a code to swap by where a person may choose.
    """
    is_here = all(row.session_id == current for row in start.rivals)
    told = play_messages.refused(start, is_here=is_here)
    wait = start.retry_after
    # No swap can be made before the time is over.
    is_asked = start.at_limit is AtLimit.ASK and wait is None
    said: dict[str, Any] = {
        "version": VERSION,
        "code": "play_limit" if wait is None else "cooling_down",
        "heading": told.heading,
        "detail": told.text,
        "limit": start.limit,
        "in_use": len(start.rivals),
        "rivals": [
            _playing_rival(row, sessions.get(row.session_id), current, is_asked)
            for row in start.rivals[:LISTED]
        ],
        "actions": _play_actions(),
    }
    if wait is None and start.at_limit is AtLimit.DISPLACE:
        # It would have gone on by itself: a click displaces.
        said["actions"].insert(0, _WATCH_HERE)
    if wait is not None:
        said["retry_after"] = math.ceil(wait.total_seconds())
    return said


def _playing_rival(
    play: Play, session: UserSession | None, current: UUID, is_asked: bool
) -> dict[str, Any]:
    return {
        "play": play.pk,
        "device": device_label(session.device) if session and session.device else "",
        "device_class": session.device_class if session is not None else "",
        "started_at": play.started_at,
        "is_here": play.session_id == current,
        "swap": play_swap.code(current, play.pk) if is_asked else None,
    }


def play_over(play: Play, newer: UserSession | None) -> dict[str, Any]:
    """Return what is told of a ``play`` that has ended; ``newer`` displaced it."""
    told = play_messages.ended(play, newer)
    return {
        "version": VERSION,
        "code": "play_ended",
        "reason": told.reason,
        "heading": told.heading,
        "detail": told.text,
        "ended_at": told.ended_at,
        "device_class": told.device_class,
        "actions": [_WATCH_HERE, *_play_actions()],
    }


def _play_actions() -> list[dict[str, Any]]:
    return [
        {
            "step": Step.SEE_DEVICES,
            "label": play_messages.SEE_DEVICES,
            "url": links.list_url(),
        }
    ]


# Not an address: what plays is to be started anew.
_WATCH_HERE = {
    "step": Step.WATCH_HERE,
    "label": play_messages.WATCH_HERE,
    "url": None,
}
