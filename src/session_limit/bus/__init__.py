"""
Notify other processes immediately that a session has ended.

A message bus carries the ids of ended sessions. Without a bus, each process finds ended
sessions in the database within a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils.module_loading import import_string

from session_limit.bus.base import Bus
from session_limit.bus.publisher import Publisher, failure_of
from session_limit.conf import conf

__all__ = ["Bus", "failure_of", "get_bus", "publish"]

# One bus for each value of the setting, which publishers and subscribers share.
_buses: dict[tuple[str, str], Bus] = {}


def get_bus() -> Bus:
    """
    Return the message bus that ``SESSION_LIMIT_BUS`` configures.

    Raises ``ImportError``, or an error from the constructor, for wrong settings.
    """
    path, options = conf.bus
    key = path, repr(options)
    if key not in _buses:
        # Another thread may have added a bus in the meantime.
        return _buses.setdefault(key, import_string(path)(**options))
    return _buses[key]


def publish(ids: Sequence[UUID]) -> None:
    """
    Notify all processes that the sessions with the given ``ids`` have ended.

    The caller must commit the endings first. Errors of the bus are logged and not
    raised. A failing bus delays callers at most once every ``PAUSE`` seconds, for at
    most the time limit of that bus.
    """
    _publisher.publish(get_bus(), ids)


_publisher = Publisher()
