"""
The guarded session: the project's own engine under a mixin, so that everything that
reads an ended session, not ``request.user`` alone, sees an empty one.
"""

from __future__ import annotations

import functools
from typing import cast

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from session_limit.store import engines
from session_limit.store.keys import Keys
from session_limit.store.loading import Loading
from session_limit.store.state import SessionState


class GuardedSession(Loading, Keys):
    """The mixin. Whatever it does not mention is the engine's."""


@functools.cache
def _guarded(engine: type[SessionBase]) -> type[GuardedSession]:
    """
    Return the engine's class under the mixin. The name stays: the salt under which
    sessions are signed is made of it (``SessionBase.key_salt``).
    """
    names = {"__module__": engine.__module__, "__qualname__": engine.__qualname__}
    bases = (GuardedSession, engine)
    return type(engine.__name__, bases, {**names, "engine": engine})


def install(request: HttpRequest) -> None:
    """
    Guard ``request.session``, if it has one. Nothing is loaded yet. The object stays,
    with whatever the engine's constructor gave it.
    """
    session = getattr(request, "session", None)
    if isinstance(session, GuardedSession):
        # The same request once more, by code that tries it again.
        session.session_limit_state.is_answered = False
    elif isinstance(session, SessionBase):
        engine, key = type(session), session.session_key
        if key is not None and not engines.may_hold(engine, key):
            # The client made it up, and not every database can be asked for it.
            session._session_key = None
        session.__class__ = _guarded(engine)
        cast("GuardedSession", session).session_limit_state = SessionState(key, request)
