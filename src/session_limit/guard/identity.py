"""Whose a connection is: the session that its cookie stands for."""

from __future__ import annotations

import io
from typing import NamedTuple, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.handlers.asgi import ASGIRequest

from session_limit import registry, stored
from session_limit.guard.asgi import Scope
from session_limit.store import GuardedSession, guard


class Identity(NamedTuple):
    """
    The ``id`` of a session, ``None`` for nobody's; and the ``reason`` of its end,
    ``""`` where that is not known, ``None`` while it is live.
    """

    id: UUID | None = None
    reason: str | None = None


def request_of(scope: Scope) -> ASGIRequest:
    """Return the request that opened a connection of any kind."""
    return ASGIRequest({**scope, "method": "GET"}, io.BytesIO())


def identify(scope: Scope) -> Identity:
    """
    Find whose connection this is, as the middleware does: one statement on ``db``, and
    a session from before the package was installed is adopted. Blocks.
    """
    request = request_of(scope)
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key:
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
