"""The base class of guarded sessions, with methods to end them and undo a sign-in."""

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

from session_limit.models import UserSession
from session_limit.registry.ending import end_row
from session_limit.registry.pending import SessionChanges
from session_limit.store import engines
from session_limit.store.state import Found, Kind, SessionState

if TYPE_CHECKING:
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.base_session import AbstractBaseSession

    class _Engine(SessionStore):
        """A session engine's class, with the methods that django-stubs leaves out."""

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
    """
    A mixin that adds session limits to the ``SessionStore`` class of the project's
    session engine. ``engine`` is that class.
    """

    session_limit_state: SessionState
    engine: type[SessionBase]

    def __init__(
        self, session_key: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        # Only code that replaces the request's session calls this (allauth does).
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
        Empty this session object because its session has ended, and return the empty
        data.

        ``id`` is the primary key of the ended session's ``UserSession`` row, if it is
        known. Pass the ``reason`` if the row may still be marked as live because
        recording the ending may have failed. Pass ``during_request`` if the session was
        live when the request began.
        """
        self.session_limit_state.found = Found(
            Kind.ENDED,
            ended_id=id,
            ended_reason=reason,
            ended_during_request=during_request,
        )
        # What the request writes from here on belongs to another, anonymous session.
        self._session_key = None
        self._session_cache = {}
        return self._session_cache

    def leave_untouched(self) -> None:
        """
        Make ``SessionMiddleware`` neither save this session nor set or delete the
        session cookie, even under ``SESSION_SAVE_EVERY_REQUEST``.

        ``SessionMiddleware`` does not save an empty session, and does not delete a
        cookie that the request did not send. So this session reports that it is empty,
        and the cookie is removed from the request.
        """
        state = self.session_limit_state
        state.response = state.response._replace(untouched=True)
        self.modified = False
        if state.request is not None:
            state.request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)

    def is_empty(self) -> bool:
        return self.session_limit_state.response.untouched or super().is_empty()

    def forget_ended(self) -> None:
        """Forget which session ended, because the client now knows the reason."""
        self.session_limit_state.found = Found(Kind.ENDED)
        self.pop(engines.ENDED_ID, None)
        if not self._session_cache:
            self.flush()

    def undo_login(self) -> SessionChanges:
        """
        Restore the session data to its state before ``login()``, and return everything
        that this request has added to the session.

        The returned changes were made by ``login()`` itself, by the receivers of its
        signal, and by code that ran before ``login()``. Some data of that earlier code
        is still discarded: a browser that sent no session cookie receives none, and a
        rollback removes what a view stored in its transaction.
        """
        sign_in, data = self.session_limit_state.sign_in, self._session_cache
        # before_login is None if the project signs users in without login().
        before = data if sign_in.before_login is None else sign_in.before_login
        self._session_cache = {**before}
        self.modified = True
        # A user may have been signed in before, in a session that has ended since.
        engines.forget_user(self)
        loaded = sign_in.loaded
        written = {
            name: value
            for name, value in data.items()
            if name not in loaded or loaded[name] != value
        }
        return SessionChanges(written, loaded)

    def give_up(self) -> None:
        """
        Restore the session that the browser had before this request, because the
        database aborted the request's work. Discard what the request wrote into the
        session.
        """
        sign_in, row = self.session_limit_state.sign_in, self.session_limit_state.row
        # The database may abort this save, too.
        with contextlib.suppress(DatabaseError, UpdateError):
            if row is None or sign_in.admitted:
                self._session_cache = {**sign_in.loaded}
                self.restore_anonymous()
            before = sign_in.before_login
            if row is not None and before is not None and engines.ID not in before:
                # The sign-in is committed, but its cookie will not reach the browser.
                end_row(row.id, UserSession.Reason.SIGNED_OUT)

    def restore_anonymous(self) -> None:
        """
        Restore the anonymous session that the browser had before a sign-in that was
        undone.

        If the store held a session under the key in the client's cookie, the data goes
        back under that key. The client gets no new cookie, because that would replace
        the cookie that another tab of the same browser may just have received by
        signing in.

        If the store held nothing under that key, the client may have made the key up,
        and somebody else may know it (session fixation, ASVS 7.2.3). The response then
        saves the data under a new key.
        """
        key, presented_key = self.session_key, self.session_limit_state.presented_key
        data = self._session_cache
        if key is not None and key != presented_key:
            self.delete(key)
        if data and presented_key is not None and key != presented_key:
            if presented_key != self.session_limit_state.loaded_key:
                # Under signed_cookies, delete() has emptied the session.
                self._session_key, self._session_cache = None, data
                return
            self._session_key = presented_key
            # A rollback may have restored the stored session already.
            with contextlib.suppress(CreateError):
                self.save(must_create=True)
        self.leave_untouched()
