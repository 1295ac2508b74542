"""
Compute the positions of the shapes in the timeline of a user's sessions and plays.

A play is one playback of limited content in a session. This module uses no database,
request or clock. In all classes, ``x`` and ``width`` are percentages of the timeline's
width, and ``y`` and ``height`` are pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from session_limit.models import Play, UserSession

# Heights in pixels. From the top, the timeline shows dates, a lane for each session
# and, if it is tall, the dates again. A lane shows the device's name, the session's bar
# and rows of plays. timeline.css repeats the height of a lane for each number of rows.
TOP = 28
BELOW = 16
NAME = 24
SESSION = 12
PLAY = 6
GAP = 4
FOOT = 10
MAX_ROWS = 4
# The least width of a bar, in percent. A narrower bar would be invisible.
SHORTEST = 0.6
# The length, in percent, by which a bar extends beyond the timeline's left edge if it
# started earlier, and beyond its right edge if it is live.
BEYOND = 1.0
# A tick closer to an edge than this, in percent, has its label on the inner side.
EDGE = 5.0

# The time between two ticks, for each number of days that the timeline can show.
STEPS = {1: timedelta(hours=3), 7: timedelta(days=1), 30: timedelta(days=5)}


@dataclass(frozen=True, slots=True)
class Bar:
    """
    A bar in the timeline that shows when a session or play was live.

    ``row`` is the ``UserSession`` or ``Play``. If ``is_live`` is true, ``end`` is the
    current time.
    """

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
        """Return the id of the session or play that displaced this one, if any."""
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
    """A horizontal strip of the timeline that shows a session above its plays."""

    session: Bar
    plays: list[Bar]
    rows: int
    top: int
    bottom: int

    @property
    def bars(self) -> list[Bar]:
        return [self.session, *self.plays]


class Line(NamedTuple):
    """A line from a displaced session or play to the newer session or play."""

    x1: float
    y1: int
    x2: float
    y2: int


class Tick(NamedTuple):
    """A mark on the time axis. ``anchor`` is the SVG ``text-anchor`` of the label."""

    x: float
    moment: datetime
    anchor: str


@dataclass(frozen=True, slots=True)
class Window:
    """The period that a timeline shows, from ``since`` to ``until``."""

    since: datetime
    until: datetime

    def x(self, moment: datetime) -> float:
        # Unlike local times, timestamps do not jump when daylight saving time changes.
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
    """Return one horizontal strip of the timeline for each session and its plays."""
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
    # The end of the last play in each row.
    rows: list[datetime] = []
    bars = []
    for play in plays:
        lasts = is_live and play.ended_at is None and play.lease_until > now
        # A play without a recorded end ends with its lease or its session.
        play_end = play.ended_at or min(play.lease_until, end)
        row = _row(rows, play.started_at)
        rows[row : row + 1] = [play_end]
        at = y + row * (PLAY + GAP)
        bars.append(window.bar(play, play.started_at, play_end, at, is_live=lasts))
    bottom = y + len(rows) * (PLAY + GAP) + FOOT
    return Lane(own, bars, len(rows), top, bottom)


def _row(rows: Sequence[datetime], start: datetime) -> int:
    """
    Return the index of the row in which to draw a play that begins at ``start``.

    ``rows`` contains the end of the last play in each row. The play goes into the first
    free row. If no row is free, the play gets a new row. If there are ``MAX_ROWS`` rows
    already, the play shares the last row.
    """
    free = (number for number, end in enumerate(rows) if end <= start)
    return next(free, min(len(rows), MAX_ROWS - 1))


def displacements(lanes: Sequence[Lane]) -> Iterator[Line]:
    """Yield the lines that connect displaced sessions and plays to newer ones."""
    bars = {bar.row.pk: bar for lane in lanes for bar in lane.bars}
    for bar in bars.values():
        if (id := bar.displaced_by) and (newer := bars.get(id)):
            x = min(max(bar.end_x, newer.x), newer.end_x)
            y = newer.y if newer.y > bar.y else newer.y + newer.height
            yield Line(bar.end_x, bar.middle, max(x, 0.0), y)


def ticks(window: Window, days: int) -> Iterator[Tick]:
    """Yield the marks on the time axis, in the time zone of ``window``."""
    moment = datetime.combine(window.since, time(), window.since.tzinfo)
    while moment < window.until:
        if moment > window.since:
            x = round(window.x(moment), 3)
            anchor = "start" if x < EDGE else "end" if x > 100 - EDGE else "middle"
            yield Tick(x, moment, anchor)
        moment += STEPS[days]
