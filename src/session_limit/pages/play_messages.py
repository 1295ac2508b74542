"""Compose the messages about refused and ended playbacks of limited content."""

from __future__ import annotations

import math
from datetime import timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from session_limit.models import Play, UserSession
from session_limit.pages.durations import MINUTE
from session_limit.pages.messages import Message
from session_limit.pages.next_steps import Step
from session_limit.policy import AtLimit
from session_limit.registry import PlayStart

Reason = Play.Reason

_MOVED_TO = {
    "phone": gettext_lazy("It is playing on a phone now."),
    "tablet": gettext_lazy("It is playing on a tablet now."),
    "computer": gettext_lazy("It is playing on a computer now."),
}
_MOVED = gettext_lazy("It is playing on another device now.")
_PAUSED = gettext_lazy("Playback is paused here.")
_SEE_DEVICES = frozenset({Step.SEE_DEVICES})
_WATCH_HERE = frozenset({Step.WATCH_HERE, Step.SEE_DEVICES})


def refused(start: PlayStart, *, is_here: bool) -> Message:
    """
    Return the message about a playback that the limit on playbacks refused.

    ``is_here`` is true if all playbacks that fill the limit belong to the session that
    tried to start another playback.
    """
    if start.retry_after is not None:
        return _cooling_down(start.retry_after)
    limit = start.limit or 0
    heading = ngettext(
        "%(in_use)d of %(limit)d stream is in use.",
        "%(in_use)d of %(limit)d streams are in use.",
        limit,
        # After the limit was lowered, more plays than the limit may count.
    ) % {"in_use": min(len(start.rivals), limit), "limit": limit}
    if start.at_limit is AtLimit.DISPLACE:
        # The client tried to resume by itself. A start by the person will displace.
        return Message(heading, "", _WATCH_HERE)
    if is_here:
        text = _("To watch here, stop watching in another tab.")
    else:
        text = _("To watch here, stop watching on another device.")
    return Message(heading, text, _SEE_DEVICES)


def _cooling_down(wait: timedelta) -> Message:
    seconds = math.ceil(wait.total_seconds())
    minutes = math.ceil(wait / MINUTE)
    if wait < 2 * MINUTE:
        text = ngettext(
            "You can watch here in %(count)d second.",
            "You can watch here in %(count)d seconds.",
            seconds,
        ) % {"count": seconds}
    else:
        text = ngettext(
            "You can watch here in %(count)d minute.",
            "You can watch here in %(count)d minutes.",
            minutes,
        ) % {"count": minutes}
    heading = _("Playback has only just moved to another device.")
    return Message(heading, text, _SEE_DEVICES)


def ended(play: Play, newer: UserSession | None) -> Message:
    """
    Return the message that explains why the playback ``play`` has ended.

    ``newer`` is the session with the playback that displaced ``play``. Pass ``None`` if
    that session is unknown, or if the playback ended for another reason.
    """
    reason, text = Reason(play.ended_reason), ""
    heading = str(_PAUSED)
    device_class = None
    if reason is Reason.DISPLACED and newer is not None and newer.pk == play.session_id:
        heading = _("Playback moved to another tab.")
        device_class = newer.device_class
    elif reason is Reason.DISPLACED:
        heading = _("Playback moved to another device.")
        device_class = newer.device_class if newer is not None else None
        text = str(_MOVED_TO.get(device_class or "", _MOVED))
    elif reason is Reason.LIMIT_LOWERED:
        text = _("You can now watch on fewer devices at a time.")
    elif reason is Reason.LAPSED:
        text = _("The connection was lost for a while.")
    return Message(
        heading=heading,
        text=text,
        steps=_WATCH_HERE,
        reason=reason,
        ended_at=play.ended_at,
        device_class=device_class,
    )
