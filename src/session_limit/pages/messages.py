"""
Compose the messages about ended sessions and refused sign-ins.

The messages are calm, give the reason first, and never name another person or a
location. These functions do not read the database, so callers pass all facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from session_limit.models import UserSession
from session_limit.pages import durations
from session_limit.pages.next_steps import Step
from session_limit.registry.outcomes import Admission

Reason = UserSession.Reason

RETRY = gettext_lazy("Please try that again.")


@dataclass(frozen=True, slots=True)
class Message:
    """
    A message for a person, with the ``steps`` that the person may take next.

    ``reason`` and ``ended_at`` describe the end of a session or of a playback, if
    known. If a newer session or playback was the cause, ``device_class`` is the device
    class of the newer session.
    """

    heading: str
    text: str
    steps: frozenset[Step] = frozenset()
    reason: str | None = None
    ended_at: datetime | None = None
    device_class: str | None = None


_SIGNED_OUT = gettext_lazy("You're signed out here")
_SIGN_IN_AGAIN = gettext_lazy("Please sign in again")
_AT_LIMIT = gettext_lazy("You're at your limit of devices")
_HEADINGS = {
    Reason.SIGNED_OUT: gettext_lazy("You're signed out"),
    Reason.CREDENTIALS_CHANGED: _SIGN_IN_AGAIN,
    Reason.EXPIRED: _SIGN_IN_AGAIN,
    Reason.IDLE: _SIGN_IN_AGAIN,
    Reason.ABSOLUTE: _SIGN_IN_AGAIN,
}

# Each text gives the reason, and claims only what the package can know.
_TEXTS = {
    Reason.SIGNED_OUT: gettext_lazy("Your session on this device has ended."),
    Reason.PASSWORD_CHANGED: gettext_lazy(
        "Your password was changed, so this device was signed out."
    ),
    Reason.CREDENTIALS_CHANGED: gettext_lazy(
        "The details of your sign-in were updated, so this device was signed out."
    ),
    Reason.ACCOUNT_DISABLED: gettext_lazy(
        "This session has ended. Contact support if you need help."
    ),
    Reason.EXPIRED: gettext_lazy("Your session has expired."),
}
_BY_ITS_OWNER = gettext_lazy(
    "This device was signed out from your account's list of devices."
)
_BY_AN_ADMINISTRATOR = gettext_lazy(
    "An administrator ended this session. Nothing in your account was changed by this."
)

_DISPLACED_BY = {
    "phone": gettext_lazy("Your account was signed in on a phone."),
    "tablet": gettext_lazy("Your account was signed in on a tablet."),
    "computer": gettext_lazy("Your account was signed in on a computer."),
}
_DISPLACED = gettext_lazy("Your account was signed in on another device.")


def ended(
    session: UserSession | None, *, limit: int | None, device_class: str | None
) -> Message:
    """
    Return the message that explains why ``session`` ended.

    Pass ``None`` if the ``UserSession`` row was deleted. ``limit`` is the session
    limit. ``device_class`` is the device class of the session that displaced
    ``session``. Only some messages mention the limit or the device class.
    """
    if session is None:
        text = _("Your session has ended.")
        return Message(str(_SIGN_IN_AGAIN), text, frozenset({Step.SIGN_IN}))
    reason = Reason(session.ended_reason)
    return Message(
        heading=str(_HEADINGS.get(reason, _SIGNED_OUT)),
        text=_text(session, reason, limit, device_class),
        steps=_steps(session, reason),
        reason=reason,
        ended_at=session.ended_at,
        device_class=device_class,
    )


def _text(
    session: UserSession, reason: Reason, limit: int | None, device_class: str | None
) -> str:
    if reason is Reason.DISPLACED:
        return _displaced(limit, device_class)
    if reason is Reason.LIMIT_LOWERED:
        return _limit_lowered(limit)
    if reason is Reason.REVOKED:
        is_own = session.was_ended_by_owner
        return str(_BY_ITS_OWNER if is_own else _BY_AN_ADMINISTRATOR)
    if reason is Reason.IDLE:
        return durations.without_activity(session.expires_at - session.last_active_at)
    if reason is Reason.ABSOLUTE:
        return durations.every(session.expires_at - session.authenticated_at)
    return str(_TEXTS[reason])


def _steps(session: UserSession, reason: Reason) -> frozenset[Step]:
    # Signing in here undoes only a displacement. The owner needs to secure the account,
    # or to ask support, only if another person may have ended the session.
    if reason is Reason.DISPLACED:
        return frozenset({Step.USE_HERE, Step.SECURE_ACCOUNT})
    if reason is Reason.ACCOUNT_DISABLED:
        return frozenset({Step.SUPPORT})
    steps = {Step.SIGN_IN}
    if reason is Reason.PASSWORD_CHANGED:
        steps.add(Step.SECURE_ACCOUNT)
    elif reason is Reason.REVOKED:
        is_own = session.was_ended_by_owner
        steps.add(Step.SECURE_ACCOUNT if is_own else Step.SUPPORT)
    return frozenset(steps)


def _at_a_time(limit: int) -> str:
    return ngettext(
        "This account can be used on %(limit)d device at a time.",
        "This account can be used on %(limit)d devices at a time.",
        limit,
    ) % {"limit": limit}


def _displaced(limit: int | None, device_class: str | None) -> str:
    text = str(_DISPLACED_BY.get(device_class or "", _DISPLACED))
    if limit is None:
        return text
    # Translators: two sentences, one after the other.
    both = pgettext("sentences", "%(first)s %(second)s")
    return both % {"first": text, "second": _at_a_time(limit)}


def _limit_lowered(limit: int | None) -> str:
    if limit is None:  # The limit was removed after it had been lowered.
        return _(
            "Your account could be used on fewer devices, so this one was signed out."
        )
    return ngettext(
        "Your account can now be used on %(limit)d device, so this one was signed out.",
        "Your account can now be used on %(limit)d devices, so this one was signed "
        "out.",
        limit,
    ) % {"limit": limit}


def refused(admission: Admission) -> Message:
    """Return the message about a sign-in that the session limit refused."""
    limit = admission.limit or 0
    if admission.rivals.count > limit:
        # The limit was lowered, or was not enforced until now ("observe"). Signing out
        # on one device is not enough, and the page lists more devices than the limit.
        text = _at_a_time(limit)
    else:
        text = ngettext(
            "Your account is signed in on %(limit)d device already, which is as many "
            "as it may. To sign in here, sign out there first.",
            "Your account is signed in on %(limit)d devices already, which is as many "
            "as it may. To sign in here, sign out on one of them first.",
            limit,
        ) % {"limit": limit}
    return Message(str(_AT_LIMIT), text, frozenset({Step.SUPPORT}))


def asked(limit: int | None, *, is_for_all: bool) -> Message:
    """
    Return the message of the page on which a person chooses a session to end.

    ``is_for_all`` is true if the person has to end all sessions, because ending the
    listed sessions would not be enough.
    """
    if is_for_all:
        text = _(
            "Your account is signed in on too many devices to choose from. To sign in "
            "here, sign out all others. This ends them straight away; unsaved work "
            "there may be lost."
        )
        return Message(str(_AT_LIMIT), text)
    text = ngettext(
        "Your account can be used on %(limit)d device at a time. Signing it out ends "
        "it straight away; unsaved work there may be lost.",
        "Your account can be used on %(limit)d devices at a time. Signing one out ends "
        "it straight away; unsaved work there may be lost.",
        limit or 0,
    ) % {"limit": limit or 0}
    return Message(_("Choose a device to sign out"), text)


def no_pending_sign_in() -> Message:
    """Return the message about a sign-in that no longer waits for a choice."""
    text = _("This sign-in is no longer waiting: it was finished, or it took too long.")
    return Message(str(_SIGN_IN_AGAIN), text, frozenset({Step.SIGN_IN}))


def not_owner() -> Message:
    """Return the message for a user who is not signed in by a session of their own."""
    text = _(
        "Only the owner of this account can see and end its sessions, after signing in "
        "in this browser. You are acting for the owner, or signed in in another way."
    )
    return Message(_("Not available here"), text)
