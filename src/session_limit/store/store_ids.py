"""Identify the place where the project's session engine stores its data."""

from __future__ import annotations

import functools
import hashlib
import re
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import cache, db, file
from django.db import connections, models, router
from django.views.debug import SafeExceptionReporterFilter

from session_limit.models import registry_alias
from session_limit.store import engines

# The user name and the password in an address.
_CREDENTIALS = re.compile(r"//[^/\s'\"]*@")
# An address that leads to another store on another machine.
_LOCAL = re.compile(r"(\w+://)?([^@/]*@)?(localhost\b|127\.|\[?::1)|/|unix:|$")
# Settings of every engine that do not say where sessions are stored.
_NOT_PLACES = ("SESSION_COOKIE_", "SESSION_LIMIT", "SESSION_EXPIRE", "SESSION_SAVE")


def store_id() -> str | None:
    """
    Return a digest of where the project's session engine stores sessions.

    Return ``None`` if the client's cookie holds the session. Two sites that share users
    but not a session store have different ids, so that neither takes the other's
    sessions for deleted. The digest contains no password. One store may have several
    ids, for example if a host has two names. A session in a store with another id is
    not judged by its stored data.
    """
    store = engines.engine()
    if engines.is_cookie(store):
        return None
    return _digest(repr(_place(store)))


@functools.lru_cache
def _digest(place: str) -> str:
    text = _CREDENTIALS.sub("//", place)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def is_own(id: str | None) -> bool:
    """
    Return whether a session with this store id is in the project's session store.

    ``None`` is the id of a session whose row is older than store ids, or whose data is
    in the client's cookie. Such a session counts as the project's own.
    """
    return id is None or id == store_id()


def _place(store: Any) -> tuple[Any, ...]:
    if issubclass(store, db.SessionStore):
        return _table(store.get_model_class())
    if issubclass(store, cache.SessionStore):
        return _cache(store)
    if issubclass(store, file.SessionStore):
        directory = str(Path(store().storage_path).absolute())
        return "file", directory, settings.SESSION_COOKIE_NAME, _machine(directory)
    names = {name for name in dir(settings) if name.startswith("SESSION_")}
    cleanse = SafeExceptionReporterFilter().cleanse_setting
    own = [
        (name, cleanse(name, getattr(settings, name)))
        for name in sorted(names)
        if not name.startswith(_NOT_PLACES)
    ]
    return store.__module__, own


def _table(model: type[models.Model]) -> tuple[Any, ...]:
    alias = router.db_for_write(model)
    connection = connections[alias]
    # django-tenants has a schema for each tenant, with tables of the same names.
    table = model._meta.db_table, getattr(connection, "schema_name", None)
    if alias == registry_alias():
        # The rows that record the id are in the same database, by whatever name.
        return "db", *table
    place = [connection.settings_dict[name] for name in ("NAME", "HOST", "PORT")]
    return "db", *table, connection.vendor, *map(str, place), _machine(place[1])


def _cache(store: Any) -> tuple[Any, ...]:
    parameters: dict[str, Any] = settings.CACHES[settings.SESSION_CACHE_ALIAS]
    location = parameters.get("LOCATION", "")
    return (
        "cache",
        parameters["BACKEND"],
        location,
        parameters.get("OPTIONS", {}).get("db"),
        parameters.get("KEY_PREFIX", ""),
        parameters.get("VERSION", 1),
        store.cache_key_prefix,
        _machine(location),
    )


def _machine(location: object) -> str:
    """Return this machine's name if ``location`` means another store on another."""
    first = (
        next(iter(location), "") if isinstance(location, (list, tuple)) else location
    )
    return socket.gethostname() if _LOCAL.match(str(first)) else ""
