"""
Publish to other processes that a session has ended.

A bus carries that at once. Without one, the sweep of each process finds it within a
second.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils.module_loading import import_string

from session_limit.bus.base import Bus
from session_limit.bus.publisher import Publisher, failure_of
from session_limit.conf import conf

__all__ = ["Bus", "failure_of", "get_bus", "publish"]

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


_publisher = Publisher()
