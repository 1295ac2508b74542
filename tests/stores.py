"""
What the session engine keeps, whichever engine the suite runs on: read, changed and
taken away behind everybody's back.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.sessions.backends import db, file, signed_cookies
from django.core.cache import caches


def engine():
    """Return the engine's class, as it is without us."""
    return import_module(settings.SESSION_ENGINE).SessionStore


def is_cookie():
    """Whether the client's cookie is all that there is."""
    return issubclass(engine(), signed_cookies.SessionStore)


def rolls_back():
    """Whether a browser is where it was when a request's transaction is undone."""
    in_database = issubclass(engine(), db.SessionStore)
    return is_cookie() or (in_database and settings.ENGINE != "db_elsewhere")


def on(*engines):
    """Mark what only these engines have."""
    needed = " or ".join(engines)
    return pytest.mark.skipif(
        settings.ENGINE not in engines,
        reason=f"needs SESSION_LIMIT_TEST_ENGINE={needed}",
    )


# For tests that choose an engine of their own: run once.
CHOSEN = pytest.mark.skipif(settings.ENGINE != "db", reason="chooses its own engine")
# Elsewhere, what Django stored or deleted stays so when a transaction is undone.
ROLLED_BACK = pytest.mark.skipif(
    not rolls_back(), reason="needs a store that rolls back"
)
# For what happens to stored sessions, ...
KEPT = pytest.mark.skipif(
    settings.ENGINE == "signed_cookies", reason="signed_cookies keeps nothing"
)
# ... and to what has expired by a clock that a test moves.
TIMED = pytest.mark.skipif(
    settings.ENGINE == "file" or "cache" in settings.ENGINE,
    reason="files and caches have a clock of their own",
)


# What a page costs on which somebody is signed in: session and row, and the user.
# django-qsessions has its own load(), so there they are two.
STATEMENTS = 3 if settings.ENGINE == "qsessions_db" else 2


def read(key):
    """Return the data stored under ``key``, empty if nothing is."""
    return (engine()(key).load() or {}) if key else {}


def without_the_engines(data):
    """Return ``data`` without what the engine adds of its own (django-qsessions)."""
    return {name: data[name] for name in data if not name.startswith("_qsessions")}


def write(key, data):
    """
    Store ``data`` under ``key``, whether or not anything is. Return the key that leads
    to them: another one where the key is the data.
    """
    if is_cookie() and read(key) == data:
        return key
    store = engine()(key)
    store._session_cache = dict(data)
    store.save(must_create=not is_cookie() and not store.exists(key))
    return store.session_key


def keeps_only(*those):
    """Whether what is stored is what these keys lead to."""
    if is_cookie():
        return True
    if settings.CACHE == settings.MEMCACHED:
        return all(read(key) for key in those)
    return kept() == set(those)


def kept():
    """
    Return the keys under which anything is stored: none with memcached, which cannot be
    asked. What is cached of a database's is a copy.
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
    # Not all that is there: Redis is shared.
    names = cache._cache.get_client().scan_iter(f"{settings.RUN}:*")
    return [name.decode() for name in names]


def empty():
    """Take away all that is stored."""
    store = engine()()
    for key in kept():
        store.delete(key)
    if settings.CACHE == settings.REDIS:
        # Not clear(), which empties all of it: Redis is shared.
        caches["default"].delete_many(
            [name.split(":", 2)[2] for name in cached()], version=1
        )
    elif hasattr(store, "_cache"):
        caches["default"].clear()
