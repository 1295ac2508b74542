"""
An account's timeline: sessions and plays in, shapes out. No database, no request and
no clock. Across it counts in percent, of whatever the page is wide; down in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from session_limit.models import Play, UserSession

# From the top: dates, then a lane for each session: its name, its bar, rows of plays.
# Below all, the dates once more.
# A lane is as high as timeline.css says for as many rows.
TOP = 28
BELOW = 16
NAME = 24
SESSION = 12
PLAY = 6
GAP = 4
FOOT = 10
MAX_ROWS = 4
# What is shorter would not be seen.
SHORTEST = 0.6
# What began before or goes on is drawn beyond the edge, which cuts it off.
BEYOND = 1.0
# A tick this near to an edge has its words to one side.
EDGE = 5.0

# By the days that are shown: how far apart ticks are.
STEPS = {1: timedelta(hours=3), 7: timedelta(days=1), 30: timedelta(days=5)}


@dataclass(frozen=True, slots=True)
class Bar:
    """A session or a play: ``start`` to ``end`` is when it counted, drawn or not."""

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
        """The id of what displaced it."""
        if not self.is_displaced:
            return None
        if isinstance(self.row, Play):
            return self.row.ended_by_play
        return self.row.ended_by_session

    @property
    def end_x(self) -> float:
        return min(round(self.x + self.width, 3), 100.0)

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Lane:
    """A session and its plays, in as many ``rows``."""

    session: Bar
    plays: list[Bar]
    rows: int
    top: int
    bottom: int

    @property
    def bars(self) -> list[Bar]:
        return [self.session, *self.plays]


class Line(NamedTuple):
    """From the end of what was displaced to what displaced it."""

    x1: float
    y1: int
    x2: float
    y2: int


class Tick(NamedTuple):
    """A moment on the axis, and which of its sides has room for words."""

    x: float
    moment: datetime
    anchor: str


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is shown."""

    since: datetime
    until: datetime

    def x(self, moment: datetime) -> float:
        # By timestamps: clocks that are put forward or back make no odds.
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
        left, right = self.x(start), self.x(end)
        left = min(left, 100 - SHORTEST)
        right = max(right, left + SHORTEST)
        left -= BEYOND if start < self.since else 0
        right += BEYOND if is_live else 0
        x, width = round(left, 3), round(right - left, 3)
        height = PLAY if isinstance(row, Play) else SESSION
        return Bar(row, start, end, is_live, x, y, width, height)


def lanes(
    sessions: Sequence[UserSession], plays: Sequence[Play], window: Window
) -> list[Lane]:
    """Return a lane for each session, in their order."""
    by_session: dict[UUID, list[Play]] = {}
    for play in sorted(plays, key=lambda play: play.started_at):
        by_session.setdefault(play.session_id, []).append(play)
    found, top = [], TOP
    for session in sessions:
        lane = _lane(session, by_session.get(session.pk, ()), window, top)
        found.append(lane)
        top = lane.bottom
    return found


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
    # When the last of each row is over.
    rows: list[datetime] = []
    bars = []
    for play in plays:
        goes_on = is_live and play.ended_at is None and play.lease_until > now
        # Nobody writes down when it happens that a lease, or a play's session, is over.
        over = play.ended_at or min(play.lease_until, end)
        row = _row(rows, play.started_at)
        rows[row : row + 1] = [over]
        at = y + row * (PLAY + GAP)
        bars.append(window.bar(play, play.started_at, over, at, is_live=goes_on))
    bottom = y + len(rows) * (PLAY + GAP) + FOOT
    return Lane(own, bars, len(rows), top, bottom)


def _row(rows: Sequence[datetime], start: datetime) -> int:
    """Return the first row that is free by then, else the last that there may be."""
    free = (number for number, over in enumerate(rows) if over <= start)
    return next(free, min(len(rows), MAX_ROWS - 1))


def displacements(lanes: Sequence[Lane]) -> Iterator[Line]:
    """Yield a line for each that was displaced by what is shown as well."""
    bars = {bar.row.pk: bar for lane in lanes for bar in lane.bars}
    for bar in bars.values():
        if (id := bar.displaced_by) and (newer := bars.get(id)):
            x = min(max(bar.end_x, newer.x), newer.end_x)
            y = newer.y if newer.y > bar.y else newer.y + newer.height
            yield Line(bar.end_x, bar.middle, max(x, 0.0), y)


def ticks(window: Window, days: int) -> Iterator[Tick]:
    """Yield the moments that are marked, by the clock of the window's zone."""
    moment = datetime.combine(window.since, time(), window.since.tzinfo)
    while moment < window.until:
        if moment > window.since:
            x = round(window.x(moment), 3)
            anchor = "start" if x < EDGE else "end" if x > 100 - EDGE else "middle"
            yield Tick(x, moment, anchor)
        moment += STEPS[days]
