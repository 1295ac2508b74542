"""Log a failure that may come many times a second without filling the disk."""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger("session_limit")

# In seconds: at most one record in this time.
EVERY = 1.0


class Repeated:
    """A failure that ``text`` describes. Threads may share it."""

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


class Trouble:
    """
    Something that may fail every second. Logs when it begins to fail, and when it works
    again. ``what`` completes "... failed"; ``consequence`` is a sentence.
    """

    def __init__(self, what: str, consequence: str) -> None:
        self.what, self.consequence = what, consequence
        self.is_there = False

    def begins(self, error: Exception, *, at: str | None = None) -> None:
        """
        Log ``error``: with its traceback, or only its type if an address is given. A
        traceback from a client library may quote the password of the address.
        """
        if not self.is_there and at is None:
            text = "%s failed. %s"
            logger.error(text, self.what, self.consequence, exc_info=error)
        elif not self.is_there:
            kind = type(error).__name__
            text = "%s, %s, failed (%s). %s"
            logger.error(text, self.what, at, kind, self.consequence)
        self.is_there = True

    def ends(self) -> None:
        if self.is_there:
            logger.info("%s works again.", self.what)
        self.is_there = False
