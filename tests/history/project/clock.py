"""Set the wall clock of this process ahead or back, as a file says."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone


def set_by(path: Path) -> None:
    """
    Move ``time.time()``, ``time.time_ns()`` and ``timezone.now()``.

    Each call reads the offset in seconds from the file ``path``. The monotonic clock
    does not change, as on a machine whose clock is set.
    """
    real_time, real_time_ns, real_now = time.time, time.time_ns, timezone.now

    def offset() -> float:
        return float(path.read_text() or 0)

    def moved_time() -> float:
        return real_time() + offset()

    def moved_time_ns() -> int:
        return real_time_ns() + round(offset() * 1e9)

    def moved_now() -> datetime:
        return real_now() + timedelta(seconds=offset())

    time.time, time.time_ns, timezone.now = moved_time, moved_time_ns, moved_now
