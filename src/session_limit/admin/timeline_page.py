"""Read and describe the sessions and plays in a user's timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, pgettext

from session_limit.admin import timeline_layout
from session_limit.admin.timeline_layout import Bar, Lane, Line, Tick, Window
from session_limit.client.device import device_label
from session_limit.conf import conf
from session_limit.models import Play, UserSession
from session_limit.utils.clock import local, utc_now

# The maximum numbers of sessions and plays in a timeline, which shows the newest.
SESSIONS = 50
PLAYS = 500

# A timeline with more sessions than this repeats the dates below them.
TALL = 8

# The periods that a timeline can show, by the value of the query parameter "days".
PERIODS: dict[str, Any] = {
    "1": gettext_lazy("Last 24 hours"),
    "7": gettext_lazy("Last 7 days"),
    "30": gettext_lazy("Last 30 days"),
}
DEFAULT_PERIOD = "7"


@dataclass(slots=True)
class Caption:
    """
    The description of a session or play in the timeline.

    ``url`` is the address of the session's page, or ``""`` if the administrator may not
    view the page. ``what`` names the content of a play. ``by`` is the caption of the
    newer session or play that displaced this one, or ``None`` if it is not shown.
    """

    bar: Bar
    device: str
    url: str
    state: str
    what: str = ""
    by: Caption | None = None


@dataclass(frozen=True)
class Timeline:
    """
    The timeline of a user's sessions and plays, for the admin's template.

    ``found`` is a queryset of all sessions of the user. The timeline shows the newest
    sessions that were live within the last ``days`` days. ``url_of`` returns the URL of
    a session's page, or ``""`` if the administrator may not view the page.
    """

    found: QuerySet[UserSession]
    days: str
    url_of: Callable[[UserSession], str]

    @cached_property
    def window(self) -> Window:
        until = utc_now()
        since = until - timedelta(days=int(self.days))
        return Window(local(since), local(until))

    def _counted_until(self, expiry: str) -> Q:
        """
        Return a filter for sessions or plays that were live in the timeline's period.

        ``expiry`` names the column with the time at which the session or play expires.
        """
        since = self.window.since
        return Q(**{"ended_at": None, f"{expiry}__gt": since}) | Q(ended_at__gt=since)

    @cached_property
    def _sessions(self) -> list[UserSession]:
        found = self.found.filter(self._counted_until("expires_at")).order_by("-pk")
        # One more than shown, so that most_sessions can detect omitted sessions.
        return list(found[: SESSIONS + 1])

    @cached_property
    def _plays(self) -> list[Play]:
        sessions = self._sessions[:SESSIONS]
        if not sessions or not conf.uses_plays():
            return []
        # Name the user too, because the index of plays begins with that column.
        shown = Q(user_id=sessions[0].user_id, session__in=sessions)
        shown &= self._counted_until("lease_until")
        # Play ids do not increase with time if they are derived from a page's key.
        rows = Play.objects.primary().begun().order_by("-started_at", "-pk")
        return list(rows.filter(shown)[: PLAYS + 1])

    @property
    def most_sessions(self) -> int | None:
        """Return the maximum number of sessions, or ``None`` if none are omitted."""
        return SESSIONS if len(self._sessions) > SESSIONS else None

    @property
    def most_plays(self) -> int | None:
        """Return the maximum number of plays, or ``None`` if none are omitted."""
        return PLAYS if len(self._plays) > PLAYS else None

    @property
    def has_plays(self) -> bool:
        return bool(self._plays)

    @cached_property
    def lanes(self) -> list[Lane]:
        sessions, plays = self._sessions[:SESSIONS], self._plays[:PLAYS]
        return timeline_layout.lay_out(sessions, plays, self.window)

    @property
    def height(self) -> int:
        return self.lanes[-1].bottom

    @property
    def is_tall(self) -> bool:
        return len(self.lanes) > TALL

    @property
    def foot(self) -> int:
        return self.height + timeline_layout.BELOW if self.is_tall else self.height

    @property
    def displacements(self) -> Iterator[Line]:
        return timeline_layout.displacements(self.lanes)

    @property
    def displaced(self) -> list[Bar]:
        return [bar for lane in self.lanes for bar in lane.bars if bar.is_displaced]

    @property
    def ticks(self) -> Iterator[tuple[Tick, str, bool]]:
        """Yield ``(mark, label, is_midnight)`` for each mark on the time axis."""
        for tick in timeline_layout.ticks(self.window, int(self.days)):
            is_day = not (tick.moment.hour or tick.moment.minute)
            style = "MONTH_DAY_FORMAT" if is_day else "TIME_FORMAT"
            yield tick, date_format(tick.moment, style), is_day

    @cached_property
    def described_lanes(self) -> list[tuple[Lane, Caption, list[Caption]]]:
        """Return ``(lane, session caption, play captions)`` for each lane."""
        return [(lane, *self._describe(lane)) for lane in self.lanes]

    @property
    def captions(self) -> list[Caption]:
        """Return the captions of all sessions and plays in one list, lane by lane."""
        lanes = self.described_lanes
        captions = [each for _, session, plays in lanes for each in (session, *plays)]
        known = {caption.bar.row.pk: caption for caption in captions}
        for caption in captions:
            if id := caption.bar.displaced_by:
                caption.by = known.get(id)
        return captions

    def _describe(self, lane: Lane) -> tuple[Caption, list[Caption]]:
        session = lane.session.row
        assert isinstance(session, UserSession)
        about = (device_label(session.device), self.url_of(session))
        plays = []
        for bar in lane.plays:
            assert isinstance(bar.row, Play)
            what = bar.row.what or capfirst(str(Play._meta.verbose_name))
            reason = bar.row.end_reason(lane.session.end)
            plays.append(Caption(bar, *about, _state(bar, reason), what))
        why = UserSession.Reason(session.ended_reason or session.expires_reason)
        return Caption(lane.session, *about, _state(lane.session, why)), plays


def _state(bar: Bar, reason: UserSession.Reason | Play.Reason) -> str:
    return pgettext("session", "Live") if bar.is_live else capfirst(str(reason.label))
