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
from session_limit.store.state import SessionState

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
        self, id: UUID | None, reason: UserSession.Reason | None = None
    ) -> dict[str, Any]:
        """
        Empty this session, because the one with this ``id`` has ended. Give the
        ``reason`` if its row may not say so.
        """
        self.session_limit_state.row = None
        self.session_limit_state.mark_ended(id, reason)
        # What is written from here on is another, anonymous session.
        self._session_key = None
        self._session_cache = {}
        return self._session_cache

    def overtake(self, reason: UserSession.Reason | None = None) -> None:
        """Empty this session, which ended during its request. See ``mark_ended()``."""
        row = self.session_limit_state.row
        self.session_limit_state.overtaken = True
        self.mark_ended(row.id if row else self.session_limit_state.ended_id, reason)

    def leave_untouched(self) -> None:
        """
        Have ``SessionMiddleware`` neither save it nor touch the client's cookie, even
        under ``SESSION_SAVE_EVERY_REQUEST``: an empty session is not saved, and where
        no cookie came none is deleted.
        """
        self.session_limit_state.inert = True
        self.modified = False
        if self.session_limit_state.request is not None:
            self.session_limit_state.request.COOKIES.pop(
                settings.SESSION_COOKIE_NAME, None
            )

    def is_empty(self) -> bool:
        return self.session_limit_state.inert or super().is_empty()

    def forget_ended(self) -> None:
        """Drop what remembers an ended session: its reason has been told."""
        self.session_limit_state.ended_id = None
        self.pop(engines.ENDED_ID, None)
        if not self._session_cache:
            self.flush()

    def undo_login(self) -> registry.SessionChanges:
        """
        Make the data what they were before ``login()``, and return what this request
        has put in: it, the receivers of its signal, and the code in front of it. Not
        all of the latter's stays: a browser without a cookie is given none, and what a
        view's transaction stored is rolled back.
        """
        before, data = self.session_limit_state.before_login, self._session_cache
        # None: somebody's own way to sign in.
        self._session_cache = {**(data if before is None else before)}
        self.modified = True
        # Where the last new key was given to somebody signed in, and their session has
        # ended since, that is who they were before.
        engines.forget_user(self)
        loaded = self.session_limit_state.loaded
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
        state, row = self.session_limit_state, self.session_limit_state.row
        # The database may give up on this save, too.
        with contextlib.suppress(DatabaseError, UpdateError):
            if row is None or state.admitted:
                self._session_cache = {**state.loaded}
                self.restore_anonymous()
            before = state.before_login
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
