"""Whose a request is that no middleware has seen: the session its cookie stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest

from session_limit import registry, stored
from session_limit.store import GuardedSession, guard


class Identity(NamedTuple):
    """
    The ``id`` of a session, ``None`` for nobody's; and the ``reason`` of its end,
    ``""`` where that is not known, ``None`` while it is live.
    """

    id: UUID | None = None
    reason: str | None = None


def session_key_in(cookies: Mapping[str, str]) -> str | None:
    """Return the key of a session that ``cookies`` hold, if it may be one."""
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    # No database takes a NUL in a text.
    return key if key and "\0" not in key else None


def identify(request: HttpRequest) -> Identity:
    """
    Find whose ``request`` this is, as the middleware does, and leave its session there:
    one statement on ``db``, and a session from before the package was installed is
    adopted. Blocks.
    """
    key = session_key_in(request.COOKIES)
    if key is None:
        return Identity()
    engine = stored.engine()
    request.session = engine(key)
    guard(request)
    session = cast("GuardedSession", request.session)
    found = session.guard
    if stored.is_cookie(engine):
        # To be adopted it has to be sent again, which no answer of ours does.
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
