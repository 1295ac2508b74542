"""
Compose sentences that contain a duration.

Each unit of time has separate sentences, because in many languages the form of a unit
depends on the rest of the sentence.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

_WITHOUT_ACTIVITY = {
    DAY: ngettext_lazy(
        "You were signed out after %(count)d day without activity.",
        "You were signed out after %(count)d days without activity.",
        "count",
    ),
    HOUR: ngettext_lazy(
        "You were signed out after %(count)d hour without activity.",
        "You were signed out after %(count)d hours without activity.",
        "count",
    ),
    MINUTE: ngettext_lazy(
        "You were signed out after %(count)d minute without activity.",
        "You were signed out after %(count)d minutes without activity.",
        "count",
    ),
}

_EVERY = {
    DAY: ngettext_lazy(
        "For security, you need to sign in again every day.",
        "For security, you need to sign in again every %(count)d days.",
        "count",
    ),
    HOUR: ngettext_lazy(
        "For security, you need to sign in again every hour.",
        "For security, you need to sign in again every %(count)d hours.",
        "count",
    ),
    MINUTE: ngettext_lazy(
        "For security, you need to sign in again every minute.",
        "For security, you need to sign in again every %(count)d minutes.",
        "count",
    ),
}

_ACTIVE = {
    DAY: ngettext_lazy(
        "Active %(count)d day ago", "Active %(count)d days ago", "count"
    ),
    HOUR: ngettext_lazy(
        "Active %(count)d hour ago", "Active %(count)d hours ago", "count"
    ),
    MINUTE: ngettext_lazy(
        "Active %(count)d minute ago", "Active %(count)d minutes ago", "count"
    ),
}


def without_activity(span: timedelta) -> str:
    """Return the sentence for a session that ended after ``span`` without activity."""
    return _sentence(_WITHOUT_ACTIVITY, span)


def every(span: timedelta) -> str:
    """Return the sentence for a rule that users must sign in again every ``span``."""
    return _sentence(_EVERY, span)


def active(span: timedelta, *, unrecorded: timedelta) -> str:
    """
    Return a phrase for how long ago a session was last active, rounded down.

    ``span`` is the time since the last recorded activity. Later activity may not be
    recorded for up to ``unrecorded``, so during that time the phrase is "Active now".
    """
    if span < unrecorded + MINUTE:
        return _("Active now")
    unit = next(unit for unit in (DAY, HOUR, MINUTE) if span >= unit)
    return str(_ACTIVE[unit] % {"count": span // unit})


def _sentence(sentences: dict[timedelta, _StrPromise], span: timedelta) -> str:
    """Return the sentence for ``span``, in the longest unit that divides it evenly."""
    minutes = max(1, round(span / MINUTE))
    unit = next(unit for unit in sentences if not minutes * MINUTE % unit)
    return str(sentences[unit] % {"count": minutes * MINUTE // unit})
