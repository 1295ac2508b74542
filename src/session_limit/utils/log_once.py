"""Log a failure that may come thousands of times a second without filling the disk."""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger("session_limit")

# In seconds: the shortest time between two records.
EVERY = 1.0


class RateLimitedLog:
    """Log one kind of failure, which ``text`` describes. Threads may share it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lock = threading.Lock()
        self._logged_at: float | None = None
        self._unlogged = 0

    def log(self, error: Exception) -> None:
        """
        Log ``error`` with its traceback, or only count it if another was logged less
        than ``EVERY`` seconds ago. The next record has the count.
        """
        with self._lock:
            now = time.monotonic()
            if self._logged_at is not None and now - self._logged_at < EVERY:
                self._unlogged += 1
                return
            unlogged, self._unlogged, self._logged_at = self._unlogged, 0, now
        text = "%s (%s more since the last record.)"
        logger.error(text, self._text, unlogged, exc_info=error)
