"""
A history: what happened in one run, a JSON object a line.

Every moment is in seconds by the recording process's monotonic clock. What a record
says is known to the checker; a moment that only a server knows is never in one.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, ClassVar

# What came of an operation. "info": it may have happened, or not, or may still happen.
OK, FAIL, INFO = "ok", "fail", "info"
# The code of the answer to a request whose session has ended, at the latest under way.
SESSION_ENDED = "session_ended"


@dataclass(frozen=True, slots=True)
class Run:
    """The parameters of the run."""

    database: str
    bus: str
    seed: int
    seconds: float
    servers: int
    browsers: int
    # The limit of an account without one of its own, for sessions and for plays.
    limit: int
    play_limit: int
    # The safeguard that was taken out of the package.
    broken: str = ""
    label: ClassVar[str] = "run"


@dataclass(frozen=True, slots=True)
class Operation:
    """One request. ``session``: the id of the session that its answer names."""

    kind: str
    server: int
    user: str
    invoked: float
    completed: float
    outcome: str
    status: int = 0
    # The session that the cookie belongs to, as far as the client knows.
    presented: str = ""
    session: str = ""
    play: str = ""
    # The sessions that the answer says it has ended.
    ended: tuple[str, ...] = ()
    limit: int | None = None
    why: str = ""
    label: ClassVar[str] = "operation"

    @property
    def may_have_happened(self) -> bool:
        """Whether it did, or nobody knows: its session may have ended meanwhile."""
        return self.outcome != FAIL or self.why == SESSION_ENDED

    @property
    def is_undecided(self) -> bool:
        return self.outcome != OK and self.may_have_happened


@dataclass(frozen=True, slots=True)
class Connection:
    """
    A socket, a stream or an event stream of a session. ``how`` it ended: ``told`` by
    the server, ``lost`` (reset, or the server's end without a word), ``left`` by the
    client, ``open`` still when the run ended, ``refused``.
    """

    kind: str
    server: int
    user: str
    session: str
    invoked: float
    opened: float | None
    ended: float
    how: str
    why: str = ""
    label: ClassVar[str] = "connection"


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Something done to servers, database or broker. ``settled``: when its effect on the
    network or the process is over, which is later than ``ended`` where TCP waits before
    it sends again. ``servers``: those whose own process, or way to the database or to
    clients, it touched.
    """

    kind: str
    servers: tuple[int, ...]
    began: float
    ended: float
    settled: float
    label: ClassVar[str] = "fault"


@dataclass(frozen=True, slots=True)
class Observation:
    """
    One committed state, read by one statement between ``began`` and ``ended``, as the
    difference to the observation before. ``live`` and ``playing`` map new ids to users.
    """

    began: float
    ended: float
    live: dict[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    playing: dict[str, str] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    # Accounts whose own limit is another one now; ``None``: the project's.
    limits: dict[str, int | None] = field(default_factory=dict)
    # How many observations were made, this one included.
    count: int = 1
    label: ClassVar[str] = "observation"


@dataclass(frozen=True, slots=True)
class Row:
    """A session's row, as it is when the run has ended."""

    session: str
    user: str
    ended: bool
    reason: str = ""
    by_session: str = ""
    label: ClassVar[str] = "row"


@dataclass(frozen=True, slots=True)
class PlayRow:
    """A play's row, as it is when the run has ended."""

    play: str
    session: str
    user: str
    ended: bool
    reason: str = ""
    by_play: str = ""
    label: ClassVar[str] = "play_row"


Record = Run | Operation | Connection | Fault | Observation | Row | PlayRow
KINDS: dict[str, type[Any]] = {
    kind.label: kind
    for kind in (Run, Operation, Connection, Fault, Observation, Row, PlayRow)
}


class Recorder:
    """Appends records to a file, each as soon as it is known."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] = path.open("w")
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the recording began."""
        return round(time.monotonic() - self._began, 6)

    def add(self, record: Record) -> None:
        line = {"record": record.label, **asdict(record)}
        # The observer is a thread of its own.
        with self._lock:
            self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class History:
    """The records of one run, by their kinds."""

    run: Run
    operations: tuple[Operation, ...] = ()
    connections: tuple[Connection, ...] = ()
    faults: tuple[Fault, ...] = ()
    observations: tuple[Observation, ...] = ()
    rows: tuple[Row, ...] = ()
    plays: tuple[PlayRow, ...] = ()


def read(path: Path) -> History:
    """Read a recorded history. Raises ``ValueError`` for a file that is none."""
    found: dict[str, list[Any]] = {label: [] for label in KINDS}
    with path.open() as lines:
        for line in lines:
            values = json.loads(line)
            kind = KINDS[values.pop("record")]
            found[kind.label].append(_made(kind, values))
    if len(found["run"]) != 1:
        raise ValueError(f"{path} is no history: {len(found['run'])} runs.")
    return History(
        run=found["run"][0],
        operations=tuple(sorted(found["operation"], key=lambda each: each.invoked)),
        connections=tuple(found["connection"]),
        faults=tuple(sorted(found["fault"], key=lambda each: each.began)),
        observations=tuple(found["observation"]),
        rows=tuple(found["row"]),
        plays=tuple(found["play_row"]),
    )


def _made(kind: type[Any], values: dict[str, Any]) -> Any:
    """Return the record, with the tuples that JSON has made lists of."""
    for each in fields(kind):
        if isinstance(values.get(each.name), list):
            values[each.name] = tuple(values[each.name])
    return kind(**values)
