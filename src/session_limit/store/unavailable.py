"""Name the cache that stores sessions in the errors that it raises."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.db import DatabaseError

from session_limit.store import engines

if TYPE_CHECKING:
    from session_limit.store.base import Base as _Engine
else:
    _Engine = object

# Errors that do not come from a cache, or that the callers expect.
_OTHERS = (CreateError, UpdateError, DatabaseError)


class Explaining(_Engine):
    """
    A session mixin that names the cache of the sessions if the cache fails.

    The errors of a cache's driver name neither a setting nor, in most cases, a server.
    """

    def exists(self, session_key: str) -> bool:
        with self._explained():
            return super().exists(session_key)

    async def aexists(self, session_key: str) -> bool:
        with self._explained():
            return await super().aexists(session_key)

    def save(self, must_create: bool = False) -> None:
        with self._explained():
            super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        with self._explained():
            await super().asave(must_create)

    def delete(self, session_key: str | None = None) -> None:
        with self._explained():
            super().delete(session_key)

    async def adelete(self, session_key: str | None = None) -> None:
        with self._explained():
            await super().adelete(session_key)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if engines.is_cached(self.engine) and not isinstance(error, _OTHERS):
                note = cache_note()
                if note not in getattr(error, "__notes__", ()):
                    error.add_note(note)
            raise


def cache_note() -> str:
    """Return a sentence that names the sessions' cache and its servers."""
    alias = settings.SESSION_CACHE_ALIAS
    options: dict[str, Any] = settings.CACHES.get(alias, {})
    location = options.get("LOCATION", "")
    servers = [location] if isinstance(location, str) else list(location)
    places = ", ".join(_without_password(str(each)) for each in servers)
    return (
        f'SESSION_ENGINE stores sessions in the cache "{alias}" of CACHES'
        f"{f', which is at {places}' if places else ''}."
    )


def _without_password(address: str) -> str:
    # A password may contain any character, and a query may contain a password.
    return re.sub("//.*@", "//", address).partition("?")[0]
