"""Copy the values of a session faithfully, and compare them."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Mapping
from typing import Any

from django.contrib.sessions.backends import cache
from django.contrib.sessions.backends.base import SessionBase


class _Pickle:
    """The serializer of Django's caches."""

    def dumps(self, value: Any) -> bytes:
        return pickle.dumps(value)

    def loads(self, data: bytes) -> Any:
        return pickle.loads(data)  # noqa: S301  dumped in this process


class Copy:
    """
    A copy of a session's value.

    The value is serialized in the way in which the session engine stores it, because
    other ways to copy and to compare values fail for some values that can be stored. If
    the value cannot be serialized, the copy is a deep copy, or the value itself.
    """

    def __init__(self, value: Any, session: SessionBase) -> None:
        for serializer in _serializers(session):
            try:
                self._text = serializer.dumps({"value": value})
                serializer.loads(self._text)
            except Exception:  # noqa: BLE001, S112  the serializer may be the project's
                continue
            self._serializer = serializer
            return
        self._serializer, self._text = None, value
        # Values may have a method of their own for this.
        with contextlib.suppress(Exception):
            self._text = copy.deepcopy(value)

    def value(self) -> Any:
        """Return the value, which shares nothing with the value that was copied."""
        if self._serializer is None:
            return self._text
        return self._serializer.loads(self._text)["value"]

    def is_same(self, other: Copy) -> bool:
        """Return whether two copies certainly have the same value."""
        if self._serializer is None or other._serializer is None:
            return self._text is other._text
        return bool(self._text == other._text)


def _serializers(session: SessionBase) -> list[Any]:
    own = session.serializer()
    # Caches pickle the data of a session, and accept values that the serializer does
    # not.
    is_cache = isinstance(session, cache.SessionStore)
    return [_Pickle(), own] if is_cache else [own, _Pickle()]


def copies(data: Mapping[str, Any], session: SessionBase) -> dict[str, Copy]:
    """Return copies of the values of the session's data."""
    return {name: Copy(value, session) for name, value in data.items()}


def values(copied: Mapping[str, Copy]) -> dict[str, Any]:
    """Return new values from copies."""
    return {name: each.value() for name, each in copied.items()}


def changed(
    data: Mapping[str, Any], before: Mapping[str, Copy], session: SessionBase
) -> dict[str, Any]:
    """Return copies of the values in ``data`` that differ from those ``before``."""
    now = copies(data, session)
    return {
        name: each.value()
        for name, each in now.items()
        if name not in before or not each.is_same(before[name])
    }


def storable(data: Mapping[str, Any], session: SessionBase) -> dict[str, Any]:
    """Return the values in ``data`` that the session's serializer accepts."""
    serializer, accepted = session.serializer(), {}
    for name, value in data.items():
        # The serializer may be the project's.
        with contextlib.suppress(Exception):
            serializer.dumps({name: value})
            accepted[name] = value
    return accepted


def dumped(data: Mapping[str, Any], session: SessionBase) -> bytes:
    """Return the session's ``data`` as the session engine stores them."""
    text: bytes = _serializers(session)[0].dumps(data)
    return text
