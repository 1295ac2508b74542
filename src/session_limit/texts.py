"""What a person is told. Calm, the reason first, and never who or where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from session_limit import registry
from session_limit.models import UserSession
from session_limit.registry import Admission

Reason = UserSession.Reason

RETRY = gettext_lazy("Please try that again.")

# Every reason says the reason, and no more than is known.
_ENDED = {
    Reason.SIGNED_OUT: gettext_lazy(
        "You are signed out. Your session on this device has ended."
    ),
    Reason.PASSWORD_CHANGED: gettext_lazy(
        "Your password was changed, so this device was signed out."
    ),
    Reason.CREDENTIALS_CHANGED: gettext_lazy(
        "The details of your sign-in were updated, so this device was signed out."
    ),
    Reason.ACCOUNT_DISABLED: gettext_lazy(
        "This session has ended. Contact support if you need help."
    ),
    Reason.LIMIT_LOWERED: gettext_lazy(
        "Your account can now be used on fewer devices, so this one was signed out."
    ),
    Reason.EXPIRED: gettext_lazy("Your session has expired."),
    Reason.IDLE: gettext_lazy("You were signed out after a time without activity."),
    Reason.ABSOLUTE: gettext_lazy(
        "For security, you need to sign in again from time to time."
    ),
}

_DISPLACED_BY = {
    "phone": gettext_lazy("Your account was signed in on a phone."),
    "tablet": gettext_lazy("Your account was signed in on a tablet."),
    "computer": gettext_lazy("Your account was signed in on a computer."),
}


@dataclass(frozen=True, slots=True)
class Told:
    """
    What is told: ``text`` whole, ``reason`` and ``ended_at`` where they are known,
    and the ``device_class`` of what displaced it.
    """

    text: str
    reason: str | None = None
    ended_at: datetime | None = None
    device_class: str | None = None


def ended(session: UserSession | None) -> Told:
    """Return what the holder of an ended session's cookie is told."""
    if session is None:
        return Told(_("Your session has ended."))
    reason = Reason(session.ended_reason)
    if reason is Reason.DISPLACED:
        return _displaced(session)
    text = _revoked(session) if reason is Reason.REVOKED else str(_ENDED[reason])
    return Told(text, reason, session.ended_at)


def _displaced(session: UserSession) -> Told:
    by = session.ended_by_session
    newer = UserSession.objects.filter(pk=by).first() if by is not None else None
    device_class = newer.device_class if newer is not None else None
    text = str(
        _DISPLACED_BY.get(
            device_class or "", _("Your account was signed in on another device.")
        )
    )
    limit = registry.limit_of(session.user, session.scope)
    if limit is not None:
        text += " " + ngettext(
            "This account can be used on %(limit)d device at a time.",
            "This account can be used on %(limit)d devices at a time.",
            limit,
        ) % {"limit": limit}
    return Told(text, Reason.DISPLACED, session.ended_at, device_class)


def _revoked(session: UserSession) -> str:
    if session.ended_by == str(session.user_id):
        return _("This device was signed out from another of your devices.")
    return _(
        "An administrator ended this session. Nothing in your account was changed "
        "by this."
    )


def refused(admission: Admission) -> Told:
    """Return what a person is told whose sign-in met the limit."""
    limit = admission.limit or 0
    return Told(
        ngettext(
            "Your account is signed in on %(limit)d device already, which is as many "
            "as it may. To sign in here, sign out there first.",
            "Your account is signed in on %(limit)d devices already, which is as many "
            "as it may. To sign in here, sign out on one of them first.",
            limit,
        )
        % {"limit": limit}
    )
