"""Define a mapping of limited size that drops its least recently used entries."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LRU(Generic[K, V]):
    """
    A mapping of limited size that drops the least recently used entry when full.

    ``most`` is the maximum number of entries. The size of an entry is not limited, so
    keys and values should have a bounded size. Threads may share an instance.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        """Return whether ``key`` has an entry, without marking the entry as used."""
        return key in self._entries

    def get(self, key: K) -> V | None:
        """Mark ``key`` as used and return its value, or ``None`` if it has no entry."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: K, value: V) -> None:
        """Set ``key`` to ``value``. If full, drop the least recently used entry."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Remove the entry for ``key``, if any."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._entries.clear()
