"""
Define, write and read histories. A history says what happened in one run.

A history is a file with one JSON object a line. Every time is in seconds by the
monotonic clock of the recording process. A record contains only what the checker itself
has observed, never a time that only a server knows.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, ClassVar

# Outcomes of an operation. "info" means that it may or may not take effect.
OK, FAIL, INFO = "ok", "fail", "info"
# The code of an answer that says that the session has ended.
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
    # The limits of sessions and of plays for an account without a limit of its own.
    limit: int
    play_limit: int
    # The safeguard that was removed from the package.
    broken: str = ""
    label: ClassVar[str] = "run"


@dataclass(frozen=True, slots=True)
class Operation:
    """A request. ``session`` is the id of the session that its answer names."""

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
        """
        Whether the operation took effect, or may have.

        If its session ended meanwhile, the answer is a refusal in any case.
        """
        return self.outcome != FAIL or self.why == SESSION_ENDED

    @property
    def is_undecided(self) -> bool:
        return self.outcome != OK and self.may_have_happened


@dataclass(frozen=True, slots=True)
class Connection:
    """
    A WebSocket, a streaming response or an event stream of a session.

    ``how`` says how it ended:

    - ``told``: the server said that the session had ended.
    - ``lost``: the connection was reset, or the server closed it without a reason.
    - ``left``: the client closed it.
    - ``open``: it was still open when the run ended.
    - ``refused``: it never opened.
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
    A fault of the servers, the database or the broker.

    ``servers`` are those whose process, or connection to the database or to clients,
    was affected. ``settled`` is when the effect was over, which is later than ``ended``
    if TCP waits before it sends again.
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
    A committed state, read by one statement between ``began`` and ``ended``.

    Contains the differences from the previous observation. ``live`` and ``playing`` map
    new ids to users, and ``left`` and ``stopped`` are ids that are no longer there.
    """

    began: float
    ended: float
    live: dict[str, str] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    playing: dict[str, str] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    # Accounts with a changed limit of their own. ``None`` is the project's limit.
    limits: dict[str, int | None] = field(default_factory=dict)
    # The number of observations up to and including this one.
    count: int = 1
    label: ClassVar[str] = "observation"


@dataclass(frozen=True, slots=True)
class Row:
    """The row of a session at the end of the run."""

    session: str
    user: str
    ended: bool
    reason: str = ""
    by_session: str = ""
    label: ClassVar[str] = "row"


@dataclass(frozen=True, slots=True)
class PlayRow:
    """The row of a play at the end of the run."""

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
    """Append records to a file as soon as they are known."""

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
        # The observer adds records from another thread.
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
    """Read a recorded history. Raises ``ValueError`` if the file is not a history."""
    found: dict[str, list[Any]] = {label: [] for label in KINDS}
    with path.open() as lines:
        for line in lines:
            values = json.loads(line)
            kind = KINDS[values.pop("record")]
            found[kind.label].append(_made(kind, values))
    if len(found["run"]) != 1:
        raise ValueError(f"{path} is not a history: {len(found['run'])} runs.")
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
    """Return the record of this kind, with lists turned back into tuples."""
    for each in fields(kind):
        if isinstance(values.get(each.name), list):
            values[each.name] = tuple(values[each.name])
    return kind(**values)
