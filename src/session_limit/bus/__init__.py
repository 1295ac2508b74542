"""
Telling other processes that a session has ended: at once where a bus carries it, and
within a second everywhere.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from django.utils.module_loading import import_string

from session_limit.bus.base import Bus
from session_limit.conf import conf

__all__ = ["Bus", "failure_of", "get_bus", "publish"]

logger = logging.getLogger("session_limit")

# For how many seconds a bus that has failed is not asked again: no request is to wait
# for what does not come.
PAUSE = 5.0


# One bus for each value of the setting, so that publishers and subscribers share it.
_buses: dict[tuple[str, str], Bus] = {}


def get_bus() -> Bus:
    """Return the bus that ``SESSION_LIMIT_BUS`` configures, one in each process."""
    path, options = conf.bus
    key = path, repr(options)
    if key not in _buses:
        made = import_string(path)(**options)
        return _buses.setdefault(key, made)
    return _buses[key]


def publish(ids: Sequence[UUID]) -> None:
    """
    Tell that the sessions with these ids have ended: after their commit. Never raises;
    what a bus that fails costs is its own bound, once in ``PAUSE``.
    """
    _publisher.publish(get_bus(), ids)


def failure_of(bus: Bus | None, error: Exception) -> str:
    """
    Describe for the log how a bus failed: the setting, its address, the error's class.
    ``bus`` is ``None`` if it could not even be made.

    Log no traceback beside it: that, and the text of some errors, may quote a password.
    """
    names = ["SESSION_LIMIT_BUS"]
    # Its address may be what is wrong with it.
    with contextlib.suppress(Exception):
        names += [bus.address] if bus is not None else []
    return f"{', '.join(names)} ({type(error).__name__})"


class _Publisher:
    """Publishes, and leaves a bus that has failed alone for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: Bus | None = None
        self._again_at = 0.0

    def publish(self, bus: Bus, ids: Sequence[UUID]) -> None:
        if self._failed is bus:
            with self._lock:
                if time.monotonic() < self._again_at:
                    return
                # One tries; the others go on meanwhile.
                self._again_at = time.monotonic() + PAUSE
        try:
            bus.publish(ids)
        except Exception as error:  # noqa: BLE001 a project's own bus raises anything
            if self._failed is not bus:
                logger.error(  # noqa: TRY400
                    "The bus does not carry that sessions have ended: %s. The sweep "
                    "tells connected pages within a second.",
                    failure_of(bus, error),
                )
            self._failed, self._again_at = bus, time.monotonic() + PAUSE
        else:
            if self._failed is bus:
                logger.info(
                    "The bus carries again that sessions have ended: "
                    "SESSION_LIMIT_BUS, %s.",
                    bus.address,
                )
                self._failed = None


_publisher = _Publisher()
