"""What an account's timeline shows: read, drawn and said in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy, pgettext

from session_limit.admin import timeline
from session_limit.client.device import device_label
from session_limit.conf import conf
from session_limit.models import Play, UserSession

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Of an account with more, the newest.
SESSIONS = 50
PLAYS = 500

# With more lanes the dates are said below them as well.
TALL = 8

# By what the address says of days.
PERIODS: dict[str, Any] = {
    "1": gettext_lazy("Last 24 hours"),
    "7": gettext_lazy("Last 7 days"),
    "30": gettext_lazy("Last 30 days"),
}
USUAL = "7"


@dataclass(slots=True)
class Said:
    """
    What is said of a bar. ``url``: the session's page, ``""`` for who may not see it.
    ``by``: what displaced it, where that is shown too.
    """

    bar: timeline.Bar
    device: str
    url: str
    state: str
    what: str = ""
    by: Said | None = None


@dataclass(frozen=True)
class Timeline:
    """
    The newest of ``found`` within the last ``days``, each with the address of its page,
    and what they play.
    """

    found: QuerySet[UserSession]
    days: str
    url_of: Callable[[UserSession], str]

    @cached_property
    def window(self) -> timeline.Window:
        until = timezone.now()
        since = until - timedelta(days=int(self.days))
        # Without USE_TZ they are the project's own zone's already.
        if timezone.is_aware(until):
            return timeline.Window(timezone.localtime(since), timezone.localtime(until))
        return timeline.Window(since, until)

    @cached_property
    def _sessions(self) -> list[UserSession]:
        since = self.window.since
        was_live = Q(ended_at=None, expires_at__gt=since) | Q(ended_at__gt=since)
        # One more than is shown tells that there are more.
        return list(self.found.filter(was_live).order_by("-pk")[: SESSIONS + 1])

    @cached_property
    def _plays(self) -> list[Play]:
        sessions = self._sessions[:SESSIONS]
        if not sessions or not conf.uses_plays():
            return []
        since = self.window.since
        was_live = Q(ended_at=None, lease_until__gt=since) | Q(ended_at__gt=since)
        # Its user is what is indexed.
        whose = Q(user_id=sessions[0].user_id, session__in=sessions)
        plays = Play.objects.primary().begun()
        rows = plays.filter(whose, was_live)
        # Their ids need not be ordered by time.
        return list(rows.order_by("-started_at", "-pk")[: PLAYS + 1])

    @property
    def most_sessions(self) -> int | None:
        """How many are shown, where there are more."""
        return SESSIONS if len(self._sessions) > SESSIONS else None

    @property
    def most_plays(self) -> int | None:
        """How many are shown, where there are more."""
        return PLAYS if len(self._plays) > PLAYS else None

    @property
    def has_plays(self) -> bool:
        return bool(self._plays)

    @cached_property
    def lanes(self) -> list[timeline.Lane]:
        sessions, plays = self._sessions[:SESSIONS], self._plays[:PLAYS]
        return timeline.lanes(sessions, plays, self.window)

    @property
    def height(self) -> int:
        return self.lanes[-1].bottom

    @property
    def is_tall(self) -> bool:
        return len(self.lanes) > TALL

    @property
    def foot(self) -> int:
        return self.height + timeline.BELOW if self.is_tall else self.height

    @property
    def displacements(self) -> Iterator[timeline.Line]:
        return timeline.displacements(self.lanes)

    @property
    def displaced(self) -> list[timeline.Bar]:
        return [bar for lane in self.lanes for bar in lane.bars if bar.is_displaced]

    @cached_property
    def ticks(self) -> list[tuple[timeline.Tick, str, bool]]:
        """Moments, with the words for each, and whether a day begins with it."""
        ticks = timeline.ticks(self.window, int(self.days))
        return [(tick, *_words(tick.moment)) for tick in ticks]

    @cached_property
    def said(self) -> list[tuple[timeline.Lane, Said, list[Said]]]:
        """Each lane with what is said of its session, and of its plays."""
        return [(lane, *self._say(lane)) for lane in self.lanes]

    @property
    def lines(self) -> list[Said]:
        """Say the same line by line."""
        lines = [said for _, session, plays in self.said for said in (session, *plays)]
        known = {said.bar.row.pk: said for said in lines}
        for said in lines:
            id = said.bar.displaced_by
            said.by = known.get(id) if id else None
        return lines

    def _say(self, lane: timeline.Lane) -> tuple[Said, list[Said]]:
        session = lane.session.row
        assert isinstance(session, UserSession)
        about = (device_label(session.device), self.url_of(session))
        plays = []
        for bar in lane.plays:
            assert isinstance(bar.row, Play)
            what = bar.row.what or capfirst(str(Play._meta.verbose_name))
            state = _state(bar, bar.row.end_reason(lane.session.end))
            plays.append(Said(bar, *about, state, what))
        reason = UserSession.Reason(session.ended_reason or session.expires_reason)
        return Said(lane.session, *about, _state(lane.session, reason)), plays


def _state(bar: timeline.Bar, reason: UserSession.Reason | Play.Reason) -> str:
    return pgettext("session", "Live") if bar.is_live else capfirst(str(reason.label))


def _words(moment: datetime) -> tuple[str, bool]:
    is_day = not (moment.hour or moment.minute)
    return date_format(moment, "MONTH_DAY_FORMAT" if is_day else "TIME_FORMAT"), is_day
