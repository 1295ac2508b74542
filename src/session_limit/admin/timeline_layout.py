"""
Lay out an account's timeline: compute shapes from sessions and plays.

This module uses no database, request or clock. ``x`` and ``width`` are percentages of
the page's width; ``y`` and ``height`` are pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from session_limit.models import Play, UserSession

# Heights in pixels, from the top: dates, then a lane for each session with its name,
# its bar and rows of plays. Below all lanes, the dates again. timeline.css has the
# height of a lane for each number of rows.
TOP = 28
BELOW = 16
NAME = 24
SESSION = 12
PLAY = 6
GAP = 4
FOOT = 10
MAX_ROWS = 4
# In percent: a shorter bar would be invisible.
SHORTEST = 0.6
# In percent: how far a bar that started earlier or is live extends beyond the edge.
BEYOND = 1.0
# In percent: a tick this close to an edge has its label on one side.
EDGE = 5.0

# The distance between ticks, by the number of days shown.
STEPS = {1: timedelta(hours=3), 7: timedelta(days=1), 30: timedelta(days=5)}


@dataclass(frozen=True, slots=True)
class Bar:
    """Place a session or a play, which counted from ``start`` to ``end``."""

    row: UserSession | Play
    start: datetime
    end: datetime
    is_live: bool
    x: float
    y: int
    width: float
    height: int

    @property
    def is_displaced(self) -> bool:
        return self.row.ended_reason == self.row.Reason.DISPLACED

    @property
    def displaced_by(self) -> UUID | None:
        """The id of the session or play that displaced this one, if one did."""
        row = self.row
        by = row.ended_by_play if isinstance(row, Play) else row.ended_by_session
        return by if self.is_displaced else None

    @property
    def end_x(self) -> float:
        return min(round(self.x + self.width, 3), 100.0)

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Lane:
    """Place a session and, below it, its plays in a number of ``rows``."""

    session: Bar
    plays: list[Bar]
    rows: int
    top: int
    bottom: int

    @property
    def bars(self) -> list[Bar]:
        return [self.session, *self.plays]


class Line(NamedTuple):
    """Connect the end of a displaced bar with the bar that displaced it."""

    x1: float
    y1: int
    x2: float
    y2: int


class Tick(NamedTuple):
    """Mark a moment on the axis. ``anchor`` is the side that has room for a label."""

    x: float
    moment: datetime
    anchor: str


@dataclass(frozen=True, slots=True)
class Window:
    """Map the period that the timeline shows to positions on the page."""

    since: datetime
    until: datetime

    def x(self, moment: datetime) -> float:
        # Timestamps are unaffected by changes to and from daylight saving time.
        since, until = self.since.timestamp(), self.until.timestamp()
        share = (moment.timestamp() - since) / (until - since)
        return min(max(share, 0.0), 1.0) * 100

    def bar(
        self,
        row: UserSession | Play,
        start: datetime,
        end: datetime,
        y: int,
        *,
        is_live: bool,
    ) -> Bar:
        left = min(self.x(start), 100 - SHORTEST)
        right = max(self.x(end), left + SHORTEST)
        left -= BEYOND if start < self.since else 0
        right += BEYOND if is_live else 0
        x, width = round(left, 3), round(right - left, 3)
        height = PLAY if isinstance(row, Play) else SESSION
        return Bar(row, start, end, is_live, x, y, width, height)


def lay_out(
    sessions: Sequence[UserSession], plays: Sequence[Play], window: Window
) -> list[Lane]:
    """Return a lane for each session, in the order of ``sessions``."""
    by_session: dict[UUID, list[Play]] = {}
    for play in sorted(plays, key=lambda play: play.started_at):
        by_session.setdefault(play.session_id, []).append(play)
    lanes: list[Lane] = []
    for session in sessions:
        top = lanes[-1].bottom if lanes else TOP
        lanes.append(_lane(session, by_session.get(session.pk, ()), window, top))
    return lanes


def _lane(
    session: UserSession, plays: Sequence[Play], window: Window, top: int
) -> Lane:
    now = window.until
    due = session.ended_at or session.expires_at
    is_live = session.is_live and due > now
    end = min(due, now)
    y = top + NAME
    own = window.bar(session, session.created_at, end, y, is_live=is_live)
    y += SESSION + GAP
    # When the last play of each row has ended.
    rows: list[datetime] = []
    bars = []
    for play in plays:
        lasts = is_live and play.ended_at is None and play.lease_until > now
        # Nothing records the end of a play if its lease expires or its session ends.
        play_end = play.ended_at or min(play.lease_until, end)
        row = _row(rows, play.started_at)
        rows[row : row + 1] = [play_end]
        at = y + row * (PLAY + GAP)
        bars.append(window.bar(play, play.started_at, play_end, at, is_live=lasts))
    bottom = y + len(rows) * (PLAY + GAP) + FOOT
    return Lane(own, bars, len(rows), top, bottom)


def _row(rows: Sequence[datetime], start: datetime) -> int:
    """Return the first row that is free at ``start``, or else the last row allowed."""
    free = (number for number, end in enumerate(rows) if end <= start)
    return next(free, min(len(rows), MAX_ROWS - 1))


def displacements(lanes: Sequence[Lane]) -> Iterator[Line]:
    """Yield a line for each bar that was displaced by another one of ``lanes``."""
    bars = {bar.row.pk: bar for lane in lanes for bar in lane.bars}
    for bar in bars.values():
        if (id := bar.displaced_by) and (newer := bars.get(id)):
            x = min(max(bar.end_x, newer.x), newer.end_x)
            y = newer.y if newer.y > bar.y else newer.y + newer.height
            yield Line(bar.end_x, bar.middle, max(x, 0.0), y)


def ticks(window: Window, days: int) -> Iterator[Tick]:
    """Yield the moments to mark on the axis, in the time zone of ``window``."""
    moment = datetime.combine(window.since, time(), window.since.tzinfo)
    while moment < window.until:
        if moment > window.since:
            x = round(window.x(moment), 3)
            anchor = "start" if x < EDGE else "end" if x > 100 - EDGE else "middle"
            yield Tick(x, moment, anchor)
        moment += STEPS[days]
