"""Present ended sessions to the project's code as empty sessions."""

from __future__ import annotations

import functools
from typing import Any, Self, cast

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from session_limit.store import engines
from session_limit.store.keys import KEY_LENGTH, Keys
from session_limit.store.loading import Loading
from session_limit.store.unavailable import Explaining
from session_limit.utils.guarded_classes import GuardedCopies, with_mixin


class GuardedSession(GuardedCopies, Loading, Keys, Explaining):
    """
    A session mixin that presents a session as empty after the session has ended.

    Other middleware and the project's code then see no data and no signed-in user.
    """

    def _plain(self) -> SessionBase:
        plain = self.engine.__new__(self.engine)
        plain.__dict__.update(self.__dict__)
        # These refer to the request, which cannot be copied.
        for name in ("session_limit_state", "session_limit_origin"):
            plain.__dict__.pop(name, None)
        return plain

    def _guard(self, copied: SessionBase) -> Self:
        state = self.session_limit_state
        copied.__class__ = type(self)
        guarded = cast("Self", copied)
        guarded.session_limit_origin = state.presented_key, None
        guarded.session_limit_state.found = state.found
        guarded.session_limit_state.loaded_key = state.loaded_key
        return guarded


@functools.cache
def _guarded(engine: type[Any]) -> type[GuardedSession] | None:
    """
    Return a subclass of ``engine`` that also inherits from ``GuardedSession``.

    Return ``None`` if ``engine`` is guarded already or is no session engine.
    """
    if issubclass(engine, GuardedSession) or not issubclass(engine, SessionBase):
        return None
    # SessionBase.key_salt, with which Django signs sessions, contains the class's name.
    return with_mixin(GuardedSession, engine, engine=engine)


def install(request: HttpRequest) -> None:
    """
    Turn ``request.session`` into a ``GuardedSession`` without loading its data.

    The session object stays the same and keeps its attributes. If the request has no
    session, this function does nothing.
    """
    # Each public page runs this code, so it calls few functions.
    session: Any = getattr(request, "session", None)
    engine: Any = type(session)
    guarded = _guarded(engine)
    if guarded is None:
        return
    key = session.session_key
    if key is not None and not (
        # Most keys are Django's, which any engine may hold.
        (len(key) == KEY_LENGTH and key.isascii() and key.isalnum())
        or engines.may_hold(engine, key)
    ):
        # The client made the key up, and some databases raise an error for such a key.
        session._session_key = None
    session.__class__ = guarded
    session.session_limit_origin = key, request
