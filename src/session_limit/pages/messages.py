"""What a person is told. Calm, the reason first, and never who or where."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from session_limit import registry
from session_limit.models import UserSession
from session_limit.pages import durations
from session_limit.registry.outcomes import Admission

Reason = UserSession.Reason

RETRY = gettext_lazy("Please try that again.")


class Step(enum.StrEnum):
    """What a person may do next. The pages say where that is, if anywhere."""

    USE_HERE = "use_here"
    SIGN_IN = "sign_in"
    SECURE_ACCOUNT = "secure_account"
    SUPPORT = "support"
    WATCH_HERE = "watch_here"
    SEE_DEVICES = "see_devices"


@dataclass(frozen=True, slots=True)
class Message:
    """
    What is told: ``heading`` and ``text``, and the next ``steps`` that make sense;
    ``reason`` and ``ended_at`` where they are known, and the ``device_class`` of what
    displaced it.
    """

    heading: str
    text: str
    steps: frozenset[Step] = frozenset()
    reason: str | None = None
    ended_at: datetime | None = None
    device_class: str | None = None


_SIGNED_OUT = gettext_lazy("You're signed out here")
_SIGN_IN_AGAIN = gettext_lazy("Please sign in again")
_HEADINGS = {
    Reason.SIGNED_OUT: gettext_lazy("You're signed out"),
    Reason.CREDENTIALS_CHANGED: _SIGN_IN_AGAIN,
    Reason.EXPIRED: _SIGN_IN_AGAIN,
    Reason.IDLE: _SIGN_IN_AGAIN,
    Reason.ABSOLUTE: _SIGN_IN_AGAIN,
}

# Every reason says the reason, and no more than is known.
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


def ended(session: UserSession | None) -> Message:
    """Return what the holder of an ended session's cookie is told."""
    if session is None:
        text = _("Your session has ended.")
        return Message(str(_SIGN_IN_AGAIN), text, frozenset({Step.SIGN_IN}))
    reason = Reason(session.ended_reason)
    device_class = _class_of_newer(session) if reason is Reason.DISPLACED else None
    return Message(
        heading=str(_HEADINGS.get(reason, _SIGNED_OUT)),
        text=_text(session, reason, device_class),
        steps=_steps(session, reason),
        reason=reason,
        ended_at=session.ended_at,
        device_class=device_class,
    )


def _text(session: UserSession, reason: Reason, device_class: str | None) -> str:
    if reason is Reason.DISPLACED:
        return _displaced(session, device_class)
    if reason is Reason.LIMIT_LOWERED:
        return _limit_lowered(session)
    if reason is Reason.REVOKED:
        is_own = session.was_ended_by_owner
        return str(_BY_ITS_OWNER if is_own else _BY_AN_ADMINISTRATOR)
    if reason is Reason.IDLE:
        return durations.without_activity(session.expires_at - session.last_active_at)
    if reason is Reason.ABSOLUTE:
        return durations.every(session.expires_at - session.authenticated_at)
    return str(_TEXTS[reason])


def _steps(session: UserSession, reason: Reason) -> frozenset[Step]:
    # Only a displaced session can be taken up again by signing in; and only where
    # somebody acted on the account can it have been another than its owner.
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


def _class_of_newer(session: UserSession) -> str | None:
    by = session.ended_by_session
    rows = UserSession.objects.primary()
    newer = rows.filter(pk=by).first() if by is not None else None
    return newer.device_class if newer is not None else None


def _at_a_time(limit: int) -> str:
    return ngettext(
        "This account can be used on %(limit)d device at a time.",
        "This account can be used on %(limit)d devices at a time.",
        limit,
    ) % {"limit": limit}


def _displaced(session: UserSession, device_class: str | None) -> str:
    text = str(_DISPLACED_BY.get(device_class or "", _DISPLACED))
    limit = registry.limit_of(session.user, session.scope)
    if limit is None:
        return text
    # Translators: one after the other.
    both = pgettext("sentences", "%(first)s %(second)s")
    return both % {"first": text, "second": _at_a_time(limit)}


def _limit_lowered(session: UserSession) -> str:
    limit = registry.limit_of(session.user, session.scope)
    if limit is None:  # it has been raised again since
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
    """Return what a person is told whose sign-in met the limit."""
    limit = admission.limit or 0
    heading = _("You're at your limit of devices")
    if admission.rivals.count > limit:
        # The limit was lowered, or only observed until now. Signing out on one device
        # is not enough, and the page lists more than the limit.
        return Message(heading=heading, text=_at_a_time(limit))
    return Message(
        heading=heading,
        text=ngettext(
            "Your account is signed in on %(limit)d device already, which is as many "
            "as it may. To sign in here, sign out there first.",
            "Your account is signed in on %(limit)d devices already, which is as many "
            "as it may. To sign in here, sign out on one of them first.",
            limit,
        )
        % {"limit": limit},
    )


def asked(limit: int | None, *, is_for_all: bool) -> Message:
    """
    Return the text of the chooser. ``is_for_all`` says that so many sessions have to
    end that no choice among those listed makes room.
    """
    limit = limit or 0
    if is_for_all:
        return Message(
            heading=_("You're at your limit of devices"),
            text=_(
                "Your account is signed in on too many devices to choose from. To sign "
                "in here, sign out all others. This ends them straight away; unsaved "
                "work there may be lost."
            ),
        )
    return Message(
        heading=_("Choose a device to sign out"),
        text=ngettext(
            "Your account can be used on %(limit)d device at a time. Signing it out "
            "ends it straight away; unsaved work there may be lost.",
            "Your account can be used on %(limit)d devices at a time. Signing one out "
            "ends it straight away; unsaved work there may be lost.",
            limit,
        )
        % {"limit": limit},
    )


def choice_gone() -> Message:
    """Return what a person is told whose sign-in waits no longer."""
    return Message(
        heading=str(_SIGN_IN_AGAIN),
        text=_(
            "This sign-in is no longer waiting: it was finished, or it took too long."
        ),
        steps=frozenset({Step.SIGN_IN}),
    )
