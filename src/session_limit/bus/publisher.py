"""Publish ended sessions on a message bus, and skip a bus that has just failed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from session_limit.bus.base import Bus
from session_limit.utils.log_once import OutageLog

# How many seconds a bus is skipped after a failure, so that few requests wait for it.
PAUSE = 5.0


def failure_of(bus: Bus | None, error: Exception) -> str:
    """
    Return a description of a message bus's failure that is safe to log.

    The description names the setting, the address of the bus and the class of
    ``error``. Pass ``None`` as ``bus`` if the bus could not be created. Do not log the
    text or the traceback of ``error``, because either may contain a password.
    """
    names = "SESSION_LIMIT_BUS"
    # The address itself may be invalid.
    with contextlib.suppress(Exception):
        names += f", {bus.address}" if bus is not None else ""
    return f"{names} ({type(error).__name__})"


class Publisher:
    """Publishes ended sessions, and skips a failed bus for ``PAUSE`` seconds."""

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
                # Let one thread try, while the others still skip the bus.
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
