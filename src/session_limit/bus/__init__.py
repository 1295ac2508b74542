"""
Publish to other processes that a session has ended.

A bus carries that at once. Without one, the sweep of each process finds it within a
second.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from django.utils.module_loading import import_string

from session_limit.bus.base import Bus
from session_limit.conf import conf
from session_limit.utils.log_once import OutageLog

__all__ = ["Bus", "failure_of", "get_bus", "publish"]

# In seconds: how long a bus is not used after a failure, so that few requests wait.
PAUSE = 5.0

# One bus for each value of the setting, so that publishers and subscribers share it.
_buses: dict[tuple[str, str], Bus] = {}


def get_bus() -> Bus:
    """
    Return the bus that ``SESSION_LIMIT_BUS`` configures. Each process has one.

    Raises ``ImportError`` or what the bus raises if the setting is wrong.
    """
    path, options = conf.bus
    key = path, repr(options)
    if key not in _buses:
        # Another thread may have added one meanwhile.
        return _buses.setdefault(key, import_string(path)(**options))
    return _buses[key]


def publish(ids: Sequence[UUID]) -> None:
    """
    Publish that the sessions with these ids have ended, after the commit.

    Never fails because of the bus. A bus that fails costs at most its own time bound,
    once in ``PAUSE`` seconds.
    """
    _publisher.publish(get_bus(), ids)


def failure_of(bus: Bus | None, error: Exception) -> str:
    """
    Describe the failure of a bus for the log: setting, address and the error's class.

    ``bus`` is ``None`` if it could not be created. Do not log a traceback as well. It
    and the text of some errors may quote a password.
    """
    names = "SESSION_LIMIT_BUS"
    # The address itself may be invalid.
    with contextlib.suppress(Exception):
        names += f", {bus.address}" if bus is not None else ""
    return f"{names} ({type(error).__name__})"


class _Publisher:
    """Publish, and do not use a bus for ``PAUSE`` seconds after it has failed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outage = OutageLog(
            "The bus does not carry that sessions have ended, and the sweep notifies "
            "open pages within a second"
        )
        self._failed: Bus | None = None
        self._again_at = 0.0

    def publish(self, bus: Bus, ids: Sequence[UUID]) -> None:
        if self._failed is bus:
            with self._lock:
                if time.monotonic() < self._again_at:
                    return
                # Let one thread try, while the others go on.
                self._again_at = time.monotonic() + PAUSE
        try:
            bus.publish(ids)
        except Exception as error:  # noqa: BLE001 a project's bus may raise anything
            self._outage.begin(error, failure_of(bus, error))
            self._failed, self._again_at = bus, time.monotonic() + PAUSE
        else:
            if self._failed is bus:
                self._outage.end()
                self._failed = None


_publisher = _Publisher()
