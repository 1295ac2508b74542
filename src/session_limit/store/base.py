"""What every part of the guarded session rests on: ending it, and letting it be."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.backends.base import (
    CreateError,
    SessionBase,
    UpdateError,
)
from django.db import DatabaseError

from session_limit import registry
from session_limit.models import UserSession
from session_limit.store import engines
from session_limit.store.state import Found, Kind, SessionState

if TYPE_CHECKING:
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.base_session import AbstractBaseSession

    class _Engine(SessionStore):
        """An engine's class, with what the stubs leave out."""

        _session_cache: dict[str, Any]

        def _get_session(self) -> dict[str, Any]: ...
        async def _aget_session(self) -> dict[str, Any]: ...
        def _get_new_session_key(self) -> str: ...
        async def _aget_new_session_key(self) -> str: ...
        def _get_session_from_db(self) -> AbstractBaseSession | None: ...
        async def _aget_session_from_db(self) -> AbstractBaseSession | None: ...
else:
    _Engine = object


class Base(_Engine):
    """A mixin for the engine's class, which is ``engine``."""

    session_limit_state: SessionState
    engine: type[SessionBase]

    def __init__(
        self, session_key: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        # By code that puts another session in place of the request's own (allauth).
        super().__init__(session_key, *args, **kwargs)
        self.session_limit_state = SessionState(session_key)

    def mark_ended(
        self,
        id: UUID | None,
        reason: UserSession.Reason | None = None,
        *,
        during_request: bool = False,
    ) -> dict[str, Any]:
        """
        Empty this session because the one with this ``id`` has ended, and return the
        empty data.

        Pass the ``reason`` if the row may not say so, because recording the ending may
        have failed, and ``during_request`` if the session was live when the request
        began.
        """
        self.session_limit_state.found = Found(
            Kind.ENDED,
            ended_id=id,
            ended_reason=reason,
            ended_during_request=during_request,
        )
        # Whatever the request writes from here on is another, anonymous session.
        self._session_key = None
        self._session_cache = {}
        return self._session_cache

    def leave_untouched(self) -> None:
        """
        Make ``SessionMiddleware`` neither save this session nor touch the client's
        cookie, even under ``SESSION_SAVE_EVERY_REQUEST``.

        The middleware does not save an empty session, and it deletes no cookie that the
        request did not bring.
        """
        self.session_limit_state.response.untouched = True
        self.modified = False
        if self.session_limit_state.request is not None:
            self.session_limit_state.request.COOKIES.pop(
                settings.SESSION_COOKIE_NAME, None
            )

    def is_empty(self) -> bool:
        return self.session_limit_state.response.untouched or super().is_empty()

    def forget_ended(self) -> None:
        """Forget the ended session after the client has been given its reason."""
        self.session_limit_state.found = Found(Kind.ENDED)
        self.pop(engines.ENDED_ID, None)
        if not self._session_cache:
            self.flush()

    def undo_login(self) -> registry.SessionChanges:
        """
        Restore the session data to their state before ``login()`` and return everything
        that this request added: ``login()`` itself, the receivers of its signal, and
        the code that ran before it.

        What the earlier code wrote may still be lost: a browser without a cookie gets
        none, and what was stored in a view's transaction is rolled back.
        """
        before = self.session_limit_state.sign_in.before_login
        data = self._session_cache
        # It is None if the project signs in without login().
        self._session_cache = {**(data if before is None else before)}
        self.modified = True
        # The data before login() name a user if the session of that user has ended
        # since the key was last changed.
        engines.forget_user(self)
        loaded = self.session_limit_state.sign_in.loaded
        written = {
            name: value
            for name, value in data.items()
            if name not in loaded or loaded[name] != value
        }
        return registry.SessionChanges(written, loaded)

    def undo_sign_in(self) -> None:
        """
        After a sign-in that was rolled back, in a store that rolls nothing back, do
        what the database did by itself. The client keeps the cookie that it has.
        """
        engines.forget_user(self)
        self.restore_anonymous()

    def give_up(self) -> None:
        """
        Leave the browser the session that it came with, after the database gave up on
        the request. What the request changed in it is not kept.
        """
        sign_in, row = self.session_limit_state.sign_in, self.session_limit_state.row
        # The database may give up on this save, too.
        with contextlib.suppress(DatabaseError, UpdateError):
            if row is None or sign_in.admitted:
                self._session_cache = {**sign_in.loaded}
                self.restore_anonymous()
            before = sign_in.before_login
            if row is not None and before is not None and engines.ID not in before:
                # Already committed, but its cookie will not reach the browser.
                registry.end_row(row.id, UserSession.Reason.SIGNED_OUT)

    def restore_anonymous(self) -> None:
        """
        Put back what a refused sign-in left of the anonymous session.

        If the store held the session that the client presented, the data go back under
        its key. The client gets no new cookie: that would replace the one that another
        tab of the same browser may just have been admitted with.

        If the store held nothing under the presented key, the client may have made that
        key up, so that somebody else knows it (session fixation, ASVS 7.2.3). The
        response then saves the data under a new key.
        """
        key, presented_key = self.session_key, self.session_limit_state.presented_key
        data = self._session_cache
        if key is not None and key != presented_key:
            self.delete(key)
        if data and presented_key is not None and key != presented_key:
            if presented_key != self.session_limit_state.loaded_key:
                # delete() has emptied a session that is its own cookie.
                self._session_key, self._session_cache = None, data
                return
            self._session_key = presented_key
            with contextlib.suppress(CreateError):  # a rollback was there before us
                self.save(must_create=True)
        self.leave_untouched()
