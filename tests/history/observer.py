"""Observe the committed state, through a connection that no fault affects."""

from __future__ import annotations

import contextlib
import threading
import uuid
from typing import TYPE_CHECKING, Any

from tests.history.history import Observation, PlayRow, Row

if TYPE_CHECKING:
    from tests.history.databases import Database
    from tests.history.history import Recorder

# Seconds between two observations.
PAUSE = 0.03

# One statement sees one committed state, which includes the limits of the accounts.
STATE = """
    SELECT 'live', s.id, s.user_id, 0 FROM session_limit_usersession s
    WHERE s.ended_at IS NULL AND s.counted
    UNION ALL
    SELECT 'playing', p.id, p.user_id, 0 FROM session_limit_play p
    JOIN session_limit_usersession s ON s.id = p.session_id
    WHERE p.ended_at IS NULL AND s.ended_at IS NULL AND p.lease_until > {clock}
    UNION ALL
    SELECT 'limit', NULL, a.user_id, a.{limit} FROM session_limit_accountlimit a
"""
ROWS = """
    SELECT id, user_id, ended_at IS NOT NULL, ended_reason, ended_by_session
    FROM session_limit_usersession
"""
PLAYS = """
    SELECT id, session_id, user_id, ended_at IS NOT NULL, ended_reason, ended_by_play
    FROM session_limit_play
"""


def hexed(id: Any) -> str:
    """Return an id in hexadecimal without hyphens, as in all records."""
    if not id:
        return ""
    return id.hex if isinstance(id, uuid.UUID) else str(id).replace("-", "")


class Observer:
    """A thread that observes until it is stopped, and one last time then."""

    def __init__(self, database: Database, recorder: Recorder) -> None:
        self._database = database
        self._recorder = recorder
        quote = '"limit"' if database.engine == "postgresql" else "`limit`"
        self._statement = STATE.format(clock=database.clock, limit=quote)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._last: dict[str, dict[str, Any]] = {"live": {}, "playing": {}, "limit": {}}
        self._count = 0
        self.error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and record the final rows. Raises an error of the thread."""
        self._stop.set()
        self._thread.join(60)
        if self.error is not None:
            raise self.error
        with contextlib.closing(self._database.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(ROWS)
            for id, user, ended, reason, by in cursor.fetchall():
                self._recorder.add(
                    Row(hexed(id), str(user), bool(ended), reason, hexed(by))
                )
            cursor.execute(PLAYS)
            for id, session, user, ended, reason, by in cursor.fetchall():
                self._recorder.add(
                    PlayRow(
                        *(hexed(id), hexed(session), str(user)),
                        *(bool(ended), reason, hexed(by)),
                    )
                )

    def _watch(self) -> None:
        try:
            self._observe_all()
        except Exception as error:
            # stop() raises it, because no caller would see an error of this thread.
            self.error = error

    def _observe_all(self) -> None:
        stopping = False
        while not stopping:
            try:
                with contextlib.closing(self._database.connect()) as connection:
                    cursor = connection.cursor()
                    while not stopping:
                        stopping = self._stop.wait(PAUSE)
                        self._observe(cursor, always=stopping)
            except self._database.error:
                # The database restarts. Continue when it is back.
                self._stop.wait(0.1)

    def _observe(self, cursor: Any, *, always: bool) -> None:
        began = self._recorder.now()
        cursor.execute(self._statement)
        rows = cursor.fetchall()
        ended = self._recorder.now()
        self._count += 1
        found: dict[str, dict[str, Any]] = {"live": {}, "playing": {}, "limit": {}}
        for kind, id, user, limit in rows:
            value: Any = str(user)
            if kind == "limit":
                value = None if limit is None else int(limit)
            found[kind][str(user) if kind == "limit" else hexed(id)] = value
        last, self._last = self._last, found
        if always or found != last:
            self._recorder.add(
                Observation(
                    began=began,
                    ended=ended,
                    live=_new(found["live"], last["live"]),
                    left=tuple(last["live"].keys() - found["live"].keys()),
                    playing=_new(found["playing"], last["playing"]),
                    stopped=tuple(last["playing"].keys() - found["playing"].keys()),
                    limits={
                        user: limit
                        for user, limit in found["limit"].items()
                        if last["limit"].get(user) != limit
                    },
                    count=self._count,
                )
            )


def _new(found: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    return {id: user for id, user in found.items() if id not in last}
