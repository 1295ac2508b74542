"""
Spans of time in words. Every unit has sentences of its own, since languages inflect
what is counted by what is said of it.
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
    """Say that a person was signed out after ``span`` without activity."""
    return _said(_WITHOUT_ACTIVITY, span)


def every(span: timedelta) -> str:
    """Say that a person has to sign in again every ``span``."""
    return _said(_EVERY, span)


def active(span: timedelta, *, unrecorded: timedelta) -> str:
    """
    Say, rounded, that a session was last active ``span`` ago, where activity may have
    gone ``unrecorded`` for so long.
    """
    if span < unrecorded + MINUTE:
        return _("Active now")
    unit = next(unit for unit in (DAY, HOUR, MINUTE) if span >= unit)
    return str(_ACTIVE[unit] % {"count": span // unit})


def _said(words: dict[timedelta, _StrPromise], span: timedelta) -> str:
    """Say ``span`` in the longest unit that it is a whole number of, or in minutes."""
    minutes = max(1, round(span / MINUTE))
    unit = next(unit for unit in words if not minutes * MINUTE % unit)
    return str(words[unit] % {"count": minutes * MINUTE // unit})
