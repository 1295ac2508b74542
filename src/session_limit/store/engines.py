"""
Inspect the project's session engine, and read and delete stored sessions.

The ``UserSession`` row alone decides whether a session is live. No guarantee relies on
deleting stored sessions, because every engine has a way to bring a deleted session back
(see docs/explanation/guarantees.md).
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends import cache, cached_db, db, file, signed_cookies
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core import signing
from django.db import models, router
from django.db.models.deletion import Collector
from django.utils import timezone

from session_limit.utils import sql
from session_limit.utils.after_commit import after_commit
from session_limit.utils.clock import as_utc
from session_limit.utils.keyed_digests import keyed_digests

logger = logging.getLogger("session_limit")

# ID is the key under which a session's data holds the id of its UserSession row. Under
# ENDED_ID, an anonymous session holds the id of the ended session that it replaced.
ID = "_session_limit_id"
ENDED_ID = "_session_limit_ended"

MAX_KEY_LENGTH = 40
MIN_KEY_LENGTH = 8


def engine() -> type[SessionBase]:
    """Return the ``SessionStore`` class of the module that ``SESSION_ENGINE`` names."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    return cast("type[SessionBase]", store)


DJANGOS: tuple[type[SessionBase], ...] = (
    db.SessionStore,
    cached_db.SessionStore,
    cache.SessionStore,
    file.SessionStore,
    signed_cookies.SessionStore,
)


@functools.cache
def is_plain_db(store: type[SessionBase]) -> bool:
    """
    Return whether a session class uses the database code of Django's ``db`` engine.

    The package can then load, create and delete sessions with its own SQL statements.
    """
    names = ("load", "_get_session_from_db", "create", "delete")
    base, twins = (
        db.SessionStore,
        ("aload", "_aget_session_from_db", "acreate", "adelete"),
    )
    return issubclass(store, base) and _inherits(store, base, *names, *twins)


@functools.cache
def plain_db_model(store: type[SessionBase]) -> type[AbstractBaseSession] | None:
    """Return the model of a session class if ``is_plain_db()``, otherwise ``None``."""
    return cast("Any", store).get_model_class() if is_plain_db(store) else None


@functools.cache
def loads_alike(store: type[SessionBase]) -> bool:
    """
    Return whether a session class loads data in the same way in sync and async code.

    This is true if ``aload()`` only calls ``load()`` in a thread, or if ``store``
    inherits both from one of Django's engines. Async code can then run ``load()`` and
    the ``UserSession`` query in one thread.
    """
    return _inherits(store, SessionBase, "aload") or _loads_as_djangos(store)


@functools.cache
def _loads_as_djangos(store: type[SessionBase]) -> bool:
    return any(
        issubclass(store, base) and _inherits(store, base, "load", "aload")
        for base in DJANGOS
    )


@functools.cache
def finds_keys_in_use(store: type[SessionBase]) -> bool:
    """
    Return whether ``create()`` finds out that one of Django's keys is already in use.

    The package can then generate the keys without asking the session store first.
    """
    return is_plain_db(store) and issues_djangos_keys(store)


@functools.cache
def issues_djangos_keys(store: type[SessionBase]) -> bool:
    """Return whether a session class generates its keys with Django's own code."""
    names = ("create", "acreate", "_get_new_session_key", "_aget_new_session_key")
    return not is_cookie(store) and any(
        issubclass(store, base) and _inherits(store, base, *names) for base in DJANGOS
    )


def may_hold(store: type[SessionBase], key: str) -> bool:
    """
    Return whether ``key`` could be a session key of the session class ``store``.

    Only the form of the key is checked. Other code may have stored sessions, so more
    keys are accepted than Django generates. An engine that generates its own keys may
    use any characters except NUL, which no database accepts.
    """
    if not issues_djangos_keys(store):
        return bool(key) and "\0" not in key
    return _is_plain(key) and MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH


def _is_plain(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key


def may_have_stored(key: str) -> bool:
    """
    Return whether the project's session engine may have stored a session under ``key``.

    Only the form of the key is checked. The ``signed_cookies`` engine stores nothing.
    """
    store = engine()
    return not is_cookie(store) and may_hold(store, key)


def is_cookie(store: type[SessionBase]) -> bool:
    """
    Return whether the session class ``store`` keeps all data in the client's cookie.

    The server cannot delete such a session, and the client can keep earlier cookies.
    """
    return issubclass(store, signed_cookies.SessionStore)


def is_cached(store: type[SessionBase]) -> bool:
    """Return whether a session class reads from the cache ``SESSION_CACHE_ALIAS``."""
    return issubclass(store, (cache.SessionStore, cached_db.SessionStore))


def forget_user(session: SessionBase) -> None:
    """Remove the signed-in user and the ``UserSession`` id from the session data."""
    for name in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, ID):
        session.pop(name, None)


def signed_at(session: SessionBase) -> datetime | None:
    """
    Return the time at which the ``signed_cookies`` engine signed the session's cookie.

    The time is rounded down to a second. Return ``None`` if the session has no cookie
    yet, or if the server stores the session's data.
    """
    if not is_cookie(type(session)) or session.session_key is None:
        return None
    return datetime.fromtimestamp(_timestamp(session.session_key), tz=UTC)


def expiry_of(session: SessionBase, now: datetime) -> datetime:
    """Return when the session's data expires if they are stored at ``now``, in UTC."""
    expiry = session.get_expiry_date(modification=now)
    if timezone.is_aware(expiry):
        return as_utc(expiry)
    # A session that expires at a fixed time has stored this time as text, without its
    # ``fold``. If the time has two readings, the later one signs nobody out early.
    return max(as_utc(expiry), as_utc(expiry.replace(fold=1)))


def is_outdated(cookie: str) -> bool:
    """Return whether a ``signed_cookies`` cookie with a valid signature has expired."""
    return time.time() - _timestamp(cookie) > settings.SESSION_COOKIE_AGE


def _timestamp(cookie: str) -> int:
    # load() has verified the signature, so the format is TimestampSigner's.
    return signing.b62_decode(cookie.rsplit(":", 2)[1])


def _inherits(store: type[SessionBase], base: type[SessionBase], *names: str) -> bool:
    return all(getattr(store, name) is getattr(base, name) for name in names)


def storable(key: str | None) -> str | None:
    """
    Return ``key`` if a ``UserSession`` row can record this key, and ``None`` otherwise.

    The key of the ``signed_cookies`` engine is the whole session and is never recorded.
    Another engine's key is not recorded if the key is longer than the column. The
    digest of such a key is recorded nevertheless, see ``digest()``.
    """
    if key is None or not 0 < len(key) <= MAX_KEY_LENGTH:
        return None
    return key if _is_plain(key) else None


def digest(key: str | None) -> str:
    """
    Return the digest of a session key, as recorded in the ``UserSession`` row.

    Return ``""`` if there is no key. The package recognizes the cookie of an ended
    session by this digest. The digest is useless without ``SECRET_KEY``, so the row of
    an ended session contains nothing that an attacker could replay.
    """
    return digests(key or "")[0]


def digests(key: str) -> list[str]:
    """Return the digests of a session key under ``SECRET_KEY`` and its fallbacks."""
    if not key:
        return [""]
    return [each[:32] for each in keyed_digests("session_limit.key", key)]


def rows(
    model: type[AbstractBaseSession], keys: Sequence[str]
) -> models.QuerySet[AbstractBaseSession]:
    """Return the stored sessions with the given keys, using the primary database."""
    using = router.db_for_write(model)
    return model._base_manager.using(using).filter(session_key__in=keys)


def exists(session: SessionBase, key: str | None) -> bool:
    """Return whether the session store contains a session with the given key."""
    if key is None:
        return False
    if isinstance(session, db.SessionStore):
        # The engine's exists() may read a replica that lags.
        return rows(session.get_model_class(), [key]).exists()
    return bool(session.exists(key))


def delete(keys: Sequence[str], using: str) -> None:
    """
    Delete the stored sessions with the given session keys.

    Sessions in the database with the alias ``using`` are deleted in the current
    transaction. Other sessions are deleted after the commit. A failure is then logged
    and not raised, because the sessions have already ended.
    """
    sql.execute(using, *deletion(keys, using))


def deletion(keys: Sequence[str], using: str) -> list[sql.Statement]:
    """
    Return the statements that delete stored sessions like ``delete()``.

    The caller must execute them in the current transaction. The result is empty for
    sessions that need no such statement.
    """
    store, statements = engine(), []
    if not keys:
        return []
    if issubclass(store, db.SessionStore):
        model = store.get_model_class()
        if router.db_for_write(model) != using:
            after_commit(using, rows(model, keys).delete)
        elif _deletes_rows_alone(model, using):
            statements = [sql.delete(model, "session_key", keys, using)]
        else:
            rows(model, keys).delete()
    if not is_plain_db(store):
        after_commit(using, _delete_each, store, keys)
    return statements


def _deletes_rows_alone(model: type[AbstractBaseSession], using: str) -> bool:
    """Return whether to delete stored sessions, the ORM only deletes their rows."""
    # The model may have a manager of its own. Other models may refer to it, and signals
    # may be connected.
    is_plain = type(model._base_manager) is models.Manager
    return is_plain and Collector(using).can_fast_delete(cast("Any", model))


def _delete_each(store: type[SessionBase], keys: Sequence[str]) -> None:
    for key in keys:
        try:
            store().delete(key)
        except Exception:
            logger.exception("A stored session could not be deleted.")


def load(session: SessionBase) -> dict[str, Any]:
    """Return the stored data of ``session``, or ``{}`` if nothing is stored."""
    key = session.session_key
    if key is None:
        return {}
    data = session.load()
    if not data and may_keep_unstored_key(session, type(session)):
        drop_unstored_key(session, key)
    return data


def may_keep_unstored_key(session: SessionBase, store: type[SessionBase]) -> bool:
    """
    Return whether an empty ``session`` may have a key under which nothing is stored.

    ``store`` is the session's engine. Django's engines remove such a key when they load
    the session. Some other engines keep the key, so that the client would choose the
    key of its next session, or store an empty session under a new key.
    """
    has_key = session.session_key is not None
    return has_key and not _loads_as_djangos(store) and not is_cookie(store)


def drop_unstored_key(session: SessionBase, key: str | None) -> None:
    """
    Remove the key of an empty ``session`` that was loaded with ``key`` and not found.

    An empty session that is stored keeps its key.
    """
    if session.session_key != key:
        # The engine has stored an empty session under a new key.
        session.delete(session.session_key)
        session.modified = False
    elif exists(session, key):
        return
    session._session_key = None


def read(key: str) -> dict[str, Any] | None:
    """
    Return the session data stored under ``key``, or ``{}`` if nothing is stored.

    Return ``None`` and log the error if the session store fails.
    """
    try:
        return load(engine()(key))
    except Exception:
        logger.exception("A stored session could not be read.")
        return None
