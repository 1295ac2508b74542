"""
What Django's session engine keeps, by key: telling engines apart, and deleting.

Deleting a stored session is hygiene. The truth is the registry's row: every engine
has a way to bring a deleted entry back (see docs/explanation/guarantees.md).
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
from django.utils.crypto import salted_hmac

from session_limit.utils.after_commit import after_commit

logger = logging.getLogger("session_limit")

# Where a session's data carries the id of its row ...
ID = "_session_limit_id"
# ... and an anonymous one, written in place of a dead one, the tombstone's.
ENDED_ID = "_session_limit_ended"

MAX_KEY_LENGTH = 40
MIN_KEY_LENGTH = 8


def engine() -> type[SessionBase]:
    """Return the ``SessionStore`` of ``SESSION_ENGINE``."""
    return cast(
        "type[SessionBase]", import_module(settings.SESSION_ENGINE).SessionStore
    )


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
    Whether ``store`` loads and deletes as ``django.contrib.sessions.backends.db``
    does, so that one statement of ours can stand for Django's own.
    """
    return issubclass(store, db.SessionStore) and _inherits(
        store,
        db.SessionStore,
        "load",
        "aload",
        "_get_session_from_db",
        "_aget_session_from_db",
        "create",
        "acreate",
        "delete",
        "adelete",
    )


@functools.cache
def loads_alike(store: type[SessionBase]) -> bool:
    """
    Whether ``aload()`` is Django's own, which does what ``load()`` does: then one hop
    to a thread takes ``load()``, with the registry's row.
    """
    return any(
        issubclass(store, base) and _inherits(store, base, "load", "aload")
        for base in DJANGOS
    )


@functools.cache
def issues_djangos_keys(store: type[SessionBase]) -> bool:
    """Return whether ``store`` leaves it to Django to make keys."""
    names = ("create", "acreate", "_get_new_session_key", "_aget_new_session_key")
    return not is_cookie(store) and any(
        issubclass(store, base) and _inherits(store, base, *names) for base in DJANGOS
    )


def may_hold(store: type[SessionBase], key: str) -> bool:
    """
    Return whether ``store`` can hold a session under ``key``, without asking it.

    Django's engines are trusted with more keys than Django issues, because other code
    may have stored sessions under keys of its own. An engine that makes its own keys
    may hold any, but no database takes a NUL.
    """
    if not issues_djangos_keys(store):
        return bool(key) and "\0" not in key
    is_plain = key.isascii() and key.isprintable() and " " not in key
    return is_plain and MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH


def is_cookie(store: type[SessionBase]) -> bool:
    """
    Whether the client's cookie is the whole session: nothing is kept that could be
    deleted, or that saving could miss, and the client may keep every copy.
    """
    return issubclass(store, signed_cookies.SessionStore)


def is_cached(store: type[SessionBase]) -> bool:
    """Return whether ``store`` reads sessions from ``SESSION_CACHE_ALIAS``."""
    return issubclass(store, (cache.SessionStore, cached_db.SessionStore))


def forget_user(session: SessionBase) -> None:
    """Take out of ``session`` what ``login()`` and an admission have put into it."""
    for name in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, ID):
        session.pop(name, None)


def signed_at(session: SessionBase) -> datetime | None:
    """
    Return when the cookie that ``session`` came in was signed, to the second it began
    in; ``None`` for one whose data are stored.
    """
    if not is_cookie(type(session)) or session.session_key is None:
        return None
    return datetime.fromtimestamp(_timestamp(session.session_key), tz=UTC)


def is_outdated(cookie: str) -> bool:
    """Whether the session that ``cookie`` is, which was verified, is too old by now."""
    return time.time() - _timestamp(cookie) > settings.SESSION_COOKIE_AGE


def _timestamp(cookie: str) -> int:
    # As TimestampSigner writes it, and load() has verified it.
    return signing.b62_decode(cookie.rsplit(":", 2)[1])


def _inherits(store: type[SessionBase], base: type[SessionBase], *names: str) -> bool:
    return all(getattr(store, name) is getattr(base, name) for name in names)


def storable(key: str | None) -> str | None:
    """
    Return ``key`` if it names an entry in a store. ``signed_cookies`` keeps the whole
    session in its key: there is nothing to find by it.
    """
    well_formed = (
        key is not None
        and MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH
        and key.isascii()
        and key.isalnum()
    )
    return key if well_formed else None


def digest(key: str | None, secret: str | bytes | None = None) -> str:
    """
    Return the keyed digest by which a dead cookie is recognised: of no use without
    ``SECRET_KEY``, so an ended row holds nothing that can be replayed.
    """
    if not key:
        return ""
    salt = "session_limit.key"
    return salted_hmac(salt, key, secret, algorithm="sha256").hexdigest()[:32]


def digests(key: str) -> list[str]:
    """Return the digests of ``key`` under every secret that Django still honours."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [digest(key, secret) for secret in secrets]


def rows(
    model: type[AbstractBaseSession], keys: Sequence[str]
) -> models.QuerySet[AbstractBaseSession]:
    """Return what ``model`` stores under ``keys``, on the alias that writes it."""
    using = router.db_for_write(model)
    return model._base_manager.using(using).filter(session_key__in=keys)


def exists(session: SessionBase, key: str | None) -> bool:
    """Whether anything is stored under ``key`` by the engine of ``session``."""
    if key is None:
        return False
    if isinstance(session, db.SessionStore):
        # Not its exists(), which may ask a replica that lags.
        return rows(session.get_model_class(), [key]).exists()
    return bool(session.exists(key))


def delete(keys: Sequence[str], using: str) -> None:
    """
    Delete the stored sessions ``keys``: in the current transaction where ``using``
    stores them, after its commit everywhere else. Never raises for a store that is
    down: what is ended is ended.
    """
    store = engine()
    if not keys:
        return
    if issubclass(store, db.SessionStore):
        found = rows(store.get_model_class(), keys)
        if found.db == using:
            found.delete()
        else:
            after_commit(using, found.delete)
    if not is_plain_db(store):
        after_commit(using, _delete_each, store, keys)


def _delete_each(store: type[SessionBase], keys: Sequence[str]) -> None:
    for key in keys:
        try:
            store().delete(key)
        except Exception:
            logger.exception("A stored session could not be deleted.")


def read(key: str) -> dict[str, Any] | None:
    """
    Return the data stored under ``key``, empty where nothing is, or ``None`` where
    the store cannot answer.
    """
    try:
        return dict(engine()(key).items())
    except Exception:
        logger.exception("A stored session could not be read.")
        return None
