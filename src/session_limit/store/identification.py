"""Identify the session of a request that has not passed through the middleware."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from hashlib import blake2b
from typing import NamedTuple, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.http import HttpRequest, parse_cookie

from session_limit.registry.connected import standings
from session_limit.registry.credentials import digest
from session_limit.store import engines, tenants
from session_limit.store.guarded import GuardedSession, install
from session_limit.store.unstored_keys import identify_key
from session_limit.store.users import is_left_alone
from session_limit.utils.lru import LRU

# Digests of the session keys with which this process has found a live session. Some of
# these sessions may have ended since. The digests decide which thread answers a
# request, and never what the answer is.
MAX_KNOWN = 50_000
_known: LRU[bytes, None] = LRU(MAX_KNOWN)
_SECRET = os.urandom(32)
# In characters. Browsers do not store longer cookies.
LONGEST_QUOTED = 4096


class Identity(NamedTuple):
    """
    The result of identifying the session of a request.

    ``id`` is the primary key of the ``UserSession`` row, or ``None`` if no row was
    found. ``reason`` says why the session ended. The reason is ``""`` if unknown, and
    ``None`` if the session has not ended. ``tenant`` is the tenant whose tables hold
    the session, or ``None`` without tenants.
    """

    id: UUID | None = None
    reason: str | None = None
    tenant: Hashable | None = None


def session_key_in(cookies: Mapping[str, str]) -> str | None:
    """Return the session key in ``cookies``, or ``None`` if there is no valid key."""
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    return key if key and engines.may_hold(engines.engine(), key) else None


def session_key_in_header(header: str) -> str | None:
    """Return the session key in a ``Cookie`` header, or ``None`` if none is valid."""
    # Parse only the session cookie. Before Python 3.11.10 and 3.12.6, the time to
    # unquote a cookie grows with the square of its length (CVE-2024-7592), which would
    # block the event loop.
    name = settings.SESSION_COOKIE_NAME
    pairs = [each for each in header.split(";") if "=" in each]
    found = [pair for pair in pairs if pair.partition("=")[0].strip() == name]
    if not found or ("\\" in found[-1] and len(found[-1]) > LONGEST_QUOTED):
        return None
    return session_key_in(parse_cookie(found[-1]))


def is_known(key: str) -> bool:
    """
    Return whether this process remembers a live session with this session key.

    Remembered sessions are checked in separate threads, so that a flood of made-up
    cookies cannot delay signed-in users.
    """
    return _digest(key) in _known


def remember(key: str, *, is_live: bool) -> None:
    """Remember whether a live session has this session key, for ``is_known()``."""
    if is_live:
        _known.put(_digest(key), None)
    else:
        _known.drop(_digest(key))


def _digest(key: str) -> bytes:
    data = key.encode(errors="surrogatepass")
    return blake2b(data, digest_size=16, key=_SECRET).digest()


def identify(request: HttpRequest) -> Identity:
    """
    Set ``request.session`` like the middleware, and return the session's identity.

    This function blocks. On the ``db`` engine, it runs one SQL statement. It may create
    the ``UserSession`` row of a session from before the package was installed.
    """
    key = session_key_in(request.COOKIES)
    if key is None:
        return Identity()
    try:
        tenant = tenants.tenant_of(request)
    except tenants.NO_TENANT:
        return Identity()
    who = tenants.run_in(tenant, _identify, request, key)
    remember(key, is_live=who.id is not None and who.reason is None)
    return who._replace(tenant=tenant)


def _identify(request: HttpRequest, key: str) -> Identity:
    engine = engines.engine()
    request.session = engine(key)
    install(request)
    session = cast("GuardedSession", request.session)
    state = session.session_limit_state
    if engines.is_cookie(engine):
        # Prevent an adoption, which would have to send a new cookie: the answer to this
        # request sets none.
        state.request = None
    is_signed_in = SESSION_KEY in session and not is_left_alone(session)
    if state.row is not None:
        is_current = state.row.has_credentials(digest(session.get(HASH_SESSION_KEY)))
        return Identity(state.row.id) if is_current else Identity()
    identify_key(state)
    id = state.found.ended_id
    if id is not None:
        return Identity(id, standings([id])[id].reason)
    return Identity(None, "") if is_signed_in or state.found.is_ended else Identity()
