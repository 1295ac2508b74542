"""Identify the session behind a request that no middleware has seen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, parse_cookie

from session_limit import registry
from session_limit.store import engines
from session_limit.store.guarded import GuardedSession, install
from session_limit.utils.lru import LRU

# The sessions that this process has found live, by a digest of their key: 16 bytes
# each. An ended session may still be among them. They decide which thread answers a
# question, and never the answer.
MAX_KNOWN = 50_000
_known: LRU[bytes, None] = LRU(MAX_KNOWN)
_SECRET = os.urandom(32)
# In characters. Browsers keep no longer cookie.
LONGEST_QUOTED = 4096


class Identity(NamedTuple):
    """
    The ``id`` of the session's row, ``None`` for an anonymous client, and the
    ``reason`` why it ended: ``""`` if that is unknown, ``None`` while it is live.
    """

    id: UUID | None = None
    reason: str | None = None


def session_key_in(cookies: Mapping[str, str]) -> str | None:
    """Return the session key among ``cookies``, if the engine can hold it."""
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    return key if key and engines.may_hold(engines.engine(), key) else None


def session_key_in_header(header: str) -> str | None:
    """
    Return the session key in a ``Cookie`` header, as ``session_key_in()`` does.

    Parses no other cookie. Before Python 3.11.10 and 3.12.6, the time that it takes to
    unquote one grows with the square of its length (CVE-2024-7592), and an event loop
    would wait for it.
    """
    name = settings.SESSION_COOKIE_NAME
    pairs = [each for each in header.split(";") if "=" in each]
    found = [pair for pair in pairs if pair.partition("=")[0].strip() == name]
    if not found or ("\\" in found[-1] and len(found[-1]) > LONGEST_QUOTED):
        return None
    return session_key_in(parse_cookie(found[-1]))


def is_known(key: str) -> bool:
    """
    Return whether this process has found the session with this key live before.

    Questions about known sessions are answered by threads of their own, so that a flood
    of invented cookies does not keep people who are signed in waiting.
    """
    return _digest(key) in _known


def remember(key: str, *, is_live: bool) -> None:
    """Note whether the session with this key was found live."""
    if is_live:
        _known.put(_digest(key), None)
    else:
        _known.drop(_digest(key))


def _digest(key: str) -> bytes:
    data = key.encode(errors="surrogatepass")
    return blake2b(data, digest_size=16, key=_SECRET).digest()


def identify(request: HttpRequest) -> Identity:
    """
    Identify the session of ``request`` as the middleware does, and leave the session on
    the request. Takes one statement on ``db``. Adopts a session from before the package
    was installed. Blocks.
    """
    key = session_key_in(request.COOKIES)
    if key is None:
        return Identity()
    who = _identify(request, key)
    remember(key, is_live=who.id is not None and who.reason is None)
    return who


def _identify(request: HttpRequest, key: str) -> Identity:
    engine = engines.engine()
    request.session = engine(key)
    install(request)
    session = cast("GuardedSession", request.session)
    found = session.session_limit_state
    if engines.is_cookie(engine):
        # To be adopted, a session in a cookie has to be sent again. No answer to this
        # request does that.
        found.request = None
    if SESSION_KEY in session and found.row is None:
        return Identity(None, "")
    if found.row is not None:
        return Identity(found.row.id)
    found.identify()
    id = found.ended_id
    if not found.ended:
        return Identity()
    return Identity(id, registry.standings([id])[id].reason if id is not None else "")
