"""Log repeated failures without writing a record for each failure."""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger("session_limit")

# The shortest time between two records, in seconds.
EVERY = 1.0


class RateLimitedLog:
    """
    Logs one kind of failure at most once every ``EVERY`` seconds.

    ``text`` describes the failure. Threads may share an instance.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lock = threading.Lock()
        self._logged_at: float | None = None
        self._unlogged = 0

    def log(self, error: Exception) -> None:
        """
        Log ``error`` with its traceback, unless another error was logged recently.

        Errors within ``EVERY`` seconds of a record are only counted, for the next one.
        """
        with self._lock:
            now = time.monotonic()
            if self._logged_at is not None and now - self._logged_at < EVERY:
                self._unlogged += 1
                return
            unlogged, self._unlogged, self._logged_at = self._unlogged, 0, now
        text = "%s (%s more since the last record.)"
        logger.error(text, self._text, unlogged, exc_info=error)


class OutageLog:
    """
    Logs a failure when it begins and again when it ends, but not in between.

    ``text`` describes the failure, without a full stop. Errors of the ``expected``
    classes are logged by class name only, because their traceback adds nothing and
    their message may quote a password.
    """

    def __init__(
        self, text: str, *, expected: tuple[type[Exception], ...] = ()
    ) -> None:
        self._text = text
        self._expected = expected
        self._is_failing = False

    def begin(self, error: Exception, detail: str = "") -> None:
        """
        Log ``error`` as the start of a failure, unless a start is already logged.

        If ``detail`` is given, it replaces the error's class and traceback in the log.
        """
        if not self._is_failing:
            is_explained = bool(detail) or isinstance(error, self._expected)
            detail = detail or type(error).__name__
            exc_info = None if is_explained else error
            logger.error("%s: %s.", self._text, detail, exc_info=exc_info)
        self._is_failing = True

    def end(self) -> None:
        """Log that the failure has ended, or do nothing if no failure has begun."""
        if self._is_failing:
            logger.info("Recovered: %s.", self._text)
        self._is_failing = False
