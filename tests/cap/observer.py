"""Sample how many committed live sessions one user has, in a thread."""

from __future__ import annotations

import base64
import json
import threading
import time
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.cap.databases import Database

LIVE = """
    SELECT COUNT(*) FROM session_limit_usersession
    WHERE user_id = {0} AND ended_at IS NULL AND counted GROUP BY scope
"""


def _live(cursor: Any, user: int) -> int:
    """Return how many live sessions count in the scope that has the most of them."""
    cursor.execute(LIVE.format(user))
    return max((count for (count,) in cursor.fetchall()), default=0)


PLAYING = """
    SELECT COUNT(*) FROM session_limit_play p
    JOIN session_limit_usersession s ON s.id = p.session_id
    WHERE p.user_id = {0} AND p.ended_at IS NULL AND s.ended_at IS NULL
    GROUP BY p.scope
"""


def _playing(cursor: Any, user: int) -> int:
    """Return how many plays have not ended in the scope that has the most of them."""
    cursor.execute(PLAYING.format(user))
    return max((count for (count,) in cursor.fetchall()), default=0)


def _stored(cursor: Any, user: int) -> int:
    """Return how many stored sessions the user has. The recipe has no other rows."""
    cursor.execute("SELECT session_data FROM django_session")
    users = (_session(data).get("_auth_user_id") for (data,) in cursor.fetchall())
    return sum(each == str(user) for each in users)


def _session(data: str) -> dict[str, Any]:
    """Decode a stored session: the part in front of the time and the signature."""
    compressed = data.startswith(".")
    content = data.lstrip(".").partition(":")[0]
    decoded = base64.urlsafe_b64decode(content + "=" * (-len(content) % 4))
    session: dict[str, Any] = json.loads(
        zlib.decompress(decoded) if compressed else decoded
    )
    return session


COUNTS: dict[str, Callable[[Any, int], int]] = {
    "session_limit": _live,
    "plays": _playing,
    "recipe": _stored,
}


class Observer:
    """A thread with its own connection, which samples while its ``with`` block runs."""

    def __init__(self, database: Database, package: str, user: int) -> None:
        self.database = database
        self.count = COUNTS[package]
        self.user = user
        self.samples: list[tuple[float, int]] = []
        self.error: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            with closing(self.database.connect()) as connection:
                cursor = connection.cursor()
                stopping = False
                while not stopping:
                    # Leave the cores to the servers most of the time. One sample always
                    # follows the end of the block.
                    stopping = self._stop.wait(0.001)
                    count = self.count(cursor, self.user)
                    self.samples.append((time.monotonic(), count))
        except Exception as error:
            # Keep the error for the judge, because no caller sees a thread's exception.
            self.error = error

    @property
    def most(self) -> int:
        """Return the most live sessions that any sample has seen."""
        return max((count for _, count in self.samples), default=0)

    @property
    def last(self) -> int:
        """Return how many sessions were live when the block had ended."""
        return self.samples[-1][1] if self.samples else 0

    def between(self, start: float, end: float) -> int:
        """Return how many samples were taken between these times."""
        return sum(start <= taken <= end for taken, _ in self.samples)
