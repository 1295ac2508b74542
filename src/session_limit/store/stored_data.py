"""Read the data of many stored sessions at once."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Sequence
from typing import Any, TypeAlias

from django.conf import settings
from django.contrib.sessions.backends import cache, cached_db, db, file
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.cache import caches
from django.db import DatabaseError, connections, router
from django.utils import timezone

from session_limit.models import registry_alias
from session_limit.store import engines
from session_limit.utils import sql

Data: TypeAlias = dict[str, Any]

logger = logging.getLogger("session_limit")

# The number of stored sessions that are read at once.
AT_ONCE = 100
# The entry that shows whether a cache stores anything, and its lifetime in seconds.
PROBE = "session_limit.probe"
PROBE_LIFETIME = 3600


def read_many(keys: Sequence[str]) -> dict[str, Data | None]:
    """
    Return the data stored under each of the session ``keys``, by key.

    The data is ``{}`` if nothing is stored under a key, and ``None`` if that is unknown
    because the session store fails. A failure is logged. Django's engines that use a
    database or a cache read ``AT_ONCE`` sessions at once, and other engines read each
    session on its own. A failure of the database that also holds the ``UserSession``
    rows is raised.
    """
    found: dict[str, Data | None] = {}
    store = engines.engine()
    for start in range(0, len(keys), AT_ONCE):
        batch = keys[start : start + AT_ONCE]
        found.update(dict.fromkeys(batch))
        try:
            found.update(_read(store, batch))
        except Exception as error:
            if isinstance(error, DatabaseError) and shares_transactions(store):
                # The transaction has failed, and the caller may repeat it.
                raise
            logger.exception("A stored session could not be read.")
            # Do not wait for the store once more for each batch.
            found.update(dict.fromkeys(keys[start:]))
            return found
    return found


def _read(store: type[SessionBase], keys: Sequence[str]) -> dict[str, Data | None]:
    if _loads_as(store, cache.SessionStore):
        return _read_cache(store, keys)
    if _loads_as(store, db.SessionStore):
        return _read_table(store, keys)
    if _loads_as(store, cached_db.SessionStore):
        return _read_cached_table(store, keys)
    found: dict[str, Data | None] = {key: engines.load(store(key)) for key in keys}
    absent = [key for key, data in found.items() if not data]
    if absent:
        # An engine may hide in load() that its store fails, but not in exists().
        store().exists(absent[0])
        if issubclass(store, file.SessionStore) and not _may_read_files(store):
            found.update(dict.fromkeys(absent))
    return found


def _loads_as(store: type[SessionBase], base: type[SessionBase]) -> bool:
    """Return whether ``store`` loads sessions with the code of ``base``."""
    names = "__init__", "load", "decode", "cache_key", "_get_session_from_db"
    return issubclass(store, base) and all(
        getattr(store, name, None) is getattr(base, name, None) for name in names
    )


def _read_table(store: Any, keys: Sequence[str]) -> dict[str, Data | None]:
    model = store.get_model_class()
    # The primary database, because a replica may lag.
    using = router.db_for_write(model)
    # The column of Django's sessions is in the zone in which Django stores times.
    now = connections[using].ops.adapt_datetimefield_value(timezone.now())
    statement = sql.Statement(_unexpired(model, len(keys), using), [*keys, now])
    decode = store().decode
    found = {key: decode(data) for key, data in sql.fetch(using, statement)}
    return {key: found.get(key, {}) for key in keys}


@functools.cache
def _unexpired(model: type[AbstractBaseSession], count: int, using: str) -> str:
    """Return SQL that reads ``count`` stored sessions, except those that expired."""
    # The model may inherit its table.
    owner = sql.field(model, "session_key").model
    names = ["session_key", "session_data", "expire_date"]
    key, data, expires = sql.qualified(owner, names, using)
    return (
        f"SELECT {key}, {data} FROM {sql.table(owner, using)}"  # noqa: S608
        f" WHERE {key} IN ({sql.placeholders(count)}) AND {expires} > %s"
    )


def _cached(store: Any, keys: Sequence[str]) -> dict[str, Data]:
    names = {store.cache_key_prefix + key: key for key in keys}
    found = caches[settings.SESSION_CACHE_ALIAS].get_many(list(names))
    return {key: found.get(name) or {} for name, key in names.items()}


def _read_cache(store: Any, keys: Sequence[str]) -> dict[str, Data | None]:
    found = _cached(store, keys)
    answers = all(found.values()) or _answers()
    return {key: data if data or answers else None for key, data in found.items()}


def _read_cached_table(store: Any, keys: Sequence[str]) -> dict[str, Data | None]:
    # As load() does: the database may have what the cache has not, and the reverse.
    try:
        cached = _cached(store, keys)
    except Exception:
        logger.exception("A stored session could not be read.")
        cached = {}
    found: dict[str, Data | None] = {key: cached[key] for key in cached if cached[key]}
    rest = [key for key in keys if key not in found]
    for key, data in (_read_table(store, rest) if rest else {}).items():
        found[key] = data if data or cached else None
    return found


def _answers() -> bool:
    """Return whether the cache returns what was stored in it."""
    # Some caches hide their errors and find nothing, for example django-redis with
    # IGNORE_EXCEPTIONS. A replica returns the entry that an earlier call has stored.
    sessions = caches[settings.SESSION_CACHE_ALIAS]
    sessions.set(PROBE, 1, PROBE_LIFETIME)
    return bool(sessions.get(PROBE) == 1)


def _may_read_files(store: Any) -> bool:
    """Return whether this process may read the directory of the sessions' files."""
    # If not, the engine finds nothing and raises no error.
    return os.access(store().storage_path, os.R_OK | os.X_OK)


def shares_transactions(store: type[SessionBase]) -> bool:
    """Return whether stored sessions and ``UserSession`` rows share transactions."""
    return (
        issubclass(store, db.SessionStore)
        and router.db_for_write(store.get_model_class()) == registry_alias()
    )
