"""
Tell session engines apart, and read and delete what they store.

No guarantee rests on deleting a stored session, because every engine has a way to bring
a deleted entry back (see docs/explanation/guarantees.md). The registry's row decides.
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

from session_limit.utils.after_commit import after_commit
from session_limit.utils.keyed_digests import keyed_digests

logger = logging.getLogger("session_limit")

# The key in a session's data that holds the id of its row, and the key in an anonymous
# session's data that holds the id of the ended session that it replaced.
ID = "_session_limit_id"
ENDED_ID = "_session_limit_ended"

MAX_KEY_LENGTH = 40
MIN_KEY_LENGTH = 8


def engine() -> type[SessionBase]:
    """Return the ``SessionStore`` class of ``SESSION_ENGINE``."""
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
    Return whether ``store`` loads and deletes as Django's ``db`` engine does, so that
    the package may use one statement of its own instead.
    """
    names = ("load", "_get_session_from_db", "create", "delete")
    base, twins = (
        db.SessionStore,
        ("aload", "_aget_session_from_db", "acreate", "adelete"),
    )
    return issubclass(store, base) and _inherits(store, base, *names, *twins)


@functools.cache
def loads_alike(store: type[SessionBase]) -> bool:
    """
    Return whether ``aload()`` of ``store`` is Django's own. It then does the same as
    ``load()``, which can run in a thread together with the read of the registry's row.
    """
    return any(
        issubclass(store, base) and _inherits(store, base, "load", "aload")
        for base in DJANGOS
    )


@functools.cache
def issues_djangos_keys(store: type[SessionBase]) -> bool:
    """Return whether Django makes the keys of ``store``."""
    names = ("create", "acreate", "_get_new_session_key", "_aget_new_session_key")
    return not is_cookie(store) and any(
        issubclass(store, base) and _inherits(store, base, *names) for base in DJANGOS
    )


def may_hold(store: type[SessionBase], key: str) -> bool:
    """
    Return whether ``store`` can hold a session under ``key``, without reading the
    store.

    More keys pass than Django issues, because other code may have stored sessions under
    its own. An engine that makes its own keys may use any, but no database accepts a
    NUL character.
    """
    if not issues_djangos_keys(store):
        return bool(key) and "\0" not in key
    is_plain = key.isascii() and key.isprintable() and " " not in key
    return is_plain and MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH


def is_cookie(store: type[SessionBase]) -> bool:
    """
    Return whether the client's cookie is the whole session. Then the server keeps
    nothing that it could delete, and the client can keep every copy.
    """
    return issubclass(store, signed_cookies.SessionStore)


def is_cached(store: type[SessionBase]) -> bool:
    """Return whether ``store`` reads sessions from ``SESSION_CACHE_ALIAS``."""
    return issubclass(store, (cache.SessionStore, cached_db.SessionStore))


def forget_user(session: SessionBase) -> None:
    """Remove what ``login()`` and an admission have written into ``session``."""
    for name in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, ID):
        session.pop(name, None)


def signed_at(session: SessionBase) -> datetime | None:
    """
    Return when the cookie that holds ``session`` was signed, rounded down to a second,
    or ``None`` if the session's data are stored on the server.
    """
    if not is_cookie(type(session)) or session.session_key is None:
        return None
    return datetime.fromtimestamp(_timestamp(session.session_key), tz=UTC)


def is_outdated(cookie: str) -> bool:
    """Return whether a signed session ``cookie`` that was valid before has expired."""
    return time.time() - _timestamp(cookie) > settings.SESSION_COOKIE_AGE


def _timestamp(cookie: str) -> int:
    # load() has verified the signature, so the format is TimestampSigner's.
    return signing.b62_decode(cookie.rsplit(":", 2)[1])


def _inherits(store: type[SessionBase], base: type[SessionBase], *names: str) -> bool:
    return all(getattr(store, name) is getattr(base, name) for name in names)


def storable(key: str | None) -> str | None:
    """
    Return ``key`` if a session may be stored under it, or ``None``. The key of
    ``signed_cookies`` is the whole session, and nothing is stored under it.
    """
    if key is None or not MIN_KEY_LENGTH <= len(key) <= MAX_KEY_LENGTH:
        return None
    return key if key.isascii() and key.isalnum() else None


def digest(key: str | None) -> str:
    """
    Return the digest of ``key`` that is recorded, or ``""`` if there is no key.

    The cookie of an ended session is recognised by it. Without ``SECRET_KEY`` the
    digest is useless, so that nothing in an ended row can be replayed.
    """
    return digests(key or "")[0]


def digests(key: str) -> list[str]:
    """Return the digests of ``key`` under each secret that Django still accepts."""
    if not key:
        return [""]
    return [each[:32] for each in keyed_digests("session_limit.key", key)]


def rows(
    model: type[AbstractBaseSession], keys: Sequence[str]
) -> models.QuerySet[AbstractBaseSession]:
    """Return what ``model`` stores under ``keys``, from the alias that writes it."""
    using = router.db_for_write(model)
    return model._base_manager.using(using).filter(session_key__in=keys)


def exists(session: SessionBase, key: str | None) -> bool:
    """Return whether the engine of ``session`` stores anything under ``key``."""
    if key is None:
        return False
    if isinstance(session, db.SessionStore):
        # The engine's exists() may read a replica that lags.
        return rows(session.get_model_class(), [key]).exists()
    return bool(session.exists(key))


def delete(keys: Sequence[str], using: str) -> None:
    """
    Delete the sessions stored under ``keys``.

    This happens in the current transaction if the database ``using`` stores them, and
    after its commit otherwise. A failure after the commit is logged and not raised,
    because the sessions have ended in any case.
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
    Return the data stored under ``key``. They are empty if nothing is stored, and
    ``None`` if the store fails, which is logged.
    """
    try:
        return dict(engine()(key).items())
    except Exception:
        logger.exception("A stored session could not be read.")
        return None
