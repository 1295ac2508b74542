"""
What is said of sessions in JSON. ``docs/reference/json.md`` is what clients rely on: a
change that breaks one of them is another version.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy

from session_limit.client import device_label
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.overview import Overview
from session_limit.texts import Step, Told

VERSION = 1


# In the order of their weight.
_LABELS = {
    Step.USE_HERE: gettext_lazy("Use here instead"),
    Step.SIGN_IN: gettext_lazy("Sign in"),
    Step.SECURE_ACCOUNT: gettext_lazy("Not you? Secure your account"),
    Step.SUPPORT: gettext_lazy("Contact support"),
}


def session_over(told: Told, sign_in_url: str) -> dict[str, Any]:
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


def overview(overview: Overview) -> dict[str, Any]:
    """Return an account's sessions, the one that asks first."""
    current = overview.current.pk
    return {
        "limit": overview.limit,
        "in_use": overview.in_use,
        "retention_seconds": int(conf.retention.total_seconds()),
        "sessions": [
            session(row, current) for row in (overview.current, *overview.others)
        ],
        "ended": [ended_session(row) for row in overview.ended],
    }
