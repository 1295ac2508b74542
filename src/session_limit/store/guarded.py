"""Guard the session of a request, so that an ended one reads as empty."""

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
    """
    The mixin for the project's session engine.

    Everything that reads an ended session gets an empty one: ``request.user``, other
    middleware and the project's own code.
    """


@functools.cache
def _guarded(engine: type[SessionBase]) -> type[GuardedSession]:
    """
    Return a subclass of ``engine`` with the mixin. It has the name of ``engine``,
    because ``SessionBase.key_salt``, which signs sessions, contains the name.
    """
    names = {"__module__": engine.__module__, "__qualname__": engine.__qualname__}
    bases = (GuardedSession, engine)
    return type(engine.__name__, bases, {**names, "engine": engine})


def install(request: HttpRequest) -> None:
    """
    Guard ``request.session``, if there is one, without loading it. The object stays the
    same, with everything that the engine's constructor gave it.
    """
    session = getattr(request, "session", None)
    if isinstance(session, GuardedSession):
        # Other code processes the same request again.
        session.session_limit_state.is_answered = False
    elif isinstance(session, SessionBase):
        engine, key = type(session), session.session_key
        if key is not None and not engines.may_hold(engine, key):
            # The client made the key up, and some databases reject it with an error.
            session._session_key = None
        session.__class__ = _guarded(engine)
        cast("GuardedSession", session).session_limit_state = SessionState(key, request)
