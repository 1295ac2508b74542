"""
Read, change and delete stored sessions behind the project's back.

The functions work with each session engine that the suite runs on.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.sessions.backends import db, file, signed_cookies
from django.core.cache import caches


def engine():
    """Return the engine's class, without this package."""
    return import_module(settings.SESSION_ENGINE).SessionStore


def is_cookie():
    """Return whether the client's cookie holds the whole session."""
    return issubclass(engine(), signed_cookies.SessionStore)


def rolls_back():
    """Return whether rolling back a transaction also restores the browser's session."""
    in_database = issubclass(engine(), db.SessionStore)
    return is_cookie() or (in_database and settings.ENGINE != "db_elsewhere")


def on(*engines):
    """Return a mark that skips a test unless the suite runs on one of these engines."""
    needed = " or ".join(engines)
    return pytest.mark.skipif(
        settings.ENGINE not in engines,
        reason=f"needs SESSION_LIMIT_TEST_ENGINE={needed}",
    )


# A test that chooses an engine of its own runs once.
CHOSEN = pytest.mark.skipif(settings.ENGINE != "db", reason="chooses its own engine")
# The engines of Django for which a test can choose, except signed_cookies.
THAT_KEEP = ["db", "cached_db", "cache", "file"]
# With other engines, a rollback does not undo what Django stored or deleted.
ROLLED_BACK = pytest.mark.skipif(
    not rolls_back(), reason="needs a store that rolls back"
)
# For tests about stored sessions, ...
KEPT = pytest.mark.skipif(
    settings.ENGINE == "signed_cookies", reason="signed_cookies keeps nothing"
)
# ... and for tests about sessions that expire by a clock that the test moves.
TIMED = pytest.mark.skipif(
    settings.ENGINE == "file" or "cache" in settings.ENGINE,
    reason="files and caches have a clock of their own",
)


# The statements of a page that reads the user: one for the session, row and user.
# The load() of django-qsessions reads the session in a statement of its own.
STATEMENTS = 2 if settings.ENGINE == "qsessions_db" else 1


def read(key):
    """Return the data stored under ``key``, or an empty dictionary."""
    return (engine()(key).load() or {}) if key else {}


def without_the_engines(data):
    """Return ``data`` without the keys that django-qsessions adds."""
    return {name: data[name] for name in data if not name.startswith("_qsessions")}


def write(key, data):
    """
    Store ``data`` under ``key``, whether or not the key exists.

    Returns the key that leads to the data: a new one if the cookie holds the session.
    """
    if is_cookie() and read(key) == data:
        return key
    store = engine()(key)
    store._session_cache = dict(data)
    store.save(must_create=not is_cookie() and not store.exists(key))
    return store.session_key


def keeps_only(*those):
    """Return whether the store holds data under these keys and no others."""
    if is_cookie():
        return True
    if settings.CACHE == settings.MEMCACHED:
        return all(read(key) for key in those)
    return kept() == set(those)


def kept():
    """
    Return the keys under which the store holds data.

    Returns none with memcached, which cannot list its keys. What ``cached_db`` has in
    the cache is a copy, and does not count.
    """
    store = engine()()
    if isinstance(store, db.SessionStore):
        return set(store.model.objects.values_list("session_key", flat=True))
    if isinstance(store, file.SessionStore):
        paths = Path(store.storage_path).glob(f"{store.file_prefix}*")
        return {path.name.removeprefix(store.file_prefix) for path in paths}
    if is_cookie() or settings.CACHE == settings.MEMCACHED:
        return set()
    return {name.partition(store.cache_key_prefix)[2] for name in cached()} - {""}


def cached():
    """Return the names under which this run has cached anything."""
    cache = caches[settings.SESSION_CACHE_ALIAS]
    if settings.CACHE == settings.LOCAL_MEMORY:
        return list(cache._cache)
    # Other runs share this Redis.
    names = cache._cache.get_client().scan_iter(f"{settings.RUN}:*")
    return [name.decode() for name in names]


def empty():
    """Delete all stored sessions."""
    store = engine()()
    for key in kept():
        store.delete(key)
    if settings.CACHE == settings.REDIS:
        # Other runs share this Redis, so that clear() would delete too much.
        caches["default"].delete_many(
            [name.split(":", 2)[2] for name in cached()], version=1
        )
    elif hasattr(store, "_cache"):
        caches["default"].clear()
