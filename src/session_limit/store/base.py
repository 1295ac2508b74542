"""Define a session mixin that can mark a session as ended and undo a sign-in."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.backends.base import (
    CreateError,
    SessionBase,
    UpdateError,
)
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.functional import cached_property

from session_limit.models import UserSession
from session_limit.registry.ending import end_row
from session_limit.registry.pending import SessionChanges
from session_limit.store import copies, engines
from session_limit.store.before_login import BeforeLogin
from session_limit.store.state import STATE, Found, Kind, SessionState

if TYPE_CHECKING:
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.base_session import AbstractBaseSession

    class _Engine(SessionStore):
        """The type of session engines, with the methods that django-stubs omits."""

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
    """A mixin for session stores that can end a session and undo a sign-in."""

    engine: type[SessionBase]
    # The key in the client's cookie, and the request, when the session was guarded.
    session_limit_origin: tuple[str | None, HttpRequest | None]

    def __init__(
        self, session_key: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        # Only code that replaces the request's session calls this (allauth does).
        super().__init__(session_key, *args, **kwargs)
        self.session_limit_origin = session_key, None

    @cached_property
    def session_limit_state(self) -> SessionState:
        # A request that does not use its session does not need this object.
        return SessionState(*self.session_limit_origin)

    def mark_ended(
        self,
        id: UUID | None,
        reason: UserSession.Reason | None = None,
        *,
        during_request: bool = False,
    ) -> dict[str, Any]:
        """
        Mark this session object as ended, empty its data, and return the empty data.

        ``id`` is the primary key of the ``UserSession`` row, or ``None`` if unknown.
        Pass ``reason`` if the row may still be marked as live, because recording the
        ending may have failed. Pass ``during_request`` if the session was live when the
        request began.
        """
        self.session_limit_state.found = Found(
            Kind.ENDED,
            ended_id=id,
            ended_reason=reason,
            ended_during_request=during_request,
        )
        # What the request writes from here on belongs to another, anonymous session.
        self._session_key, modified = None, self.modified
        self._replace_data({})
        self.modified = modified
        return self._session_cache

    def leave_untouched(self) -> None:
        """
        Prevent ``SessionMiddleware`` from changing the stored session and the cookie.

        This method also works if ``SESSION_SAVE_EVERY_REQUEST`` is true.
        """
        state = self.session_limit_state
        # SessionMiddleware does not save an empty session, and does not delete a cookie
        # that the request did not send. is_empty() reads this flag.
        state.response = state.response._replace(untouched=True)
        self.modified = False
        if state.request is not None:
            state.request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)

    def is_empty(self) -> bool:
        # SessionMiddleware calls this after each request, so make no state for it.
        state: SessionState | None = vars(self).get(STATE)
        is_untouched = state is not None and state.response.untouched
        return is_untouched or super().is_empty()

    def forget_ended(self) -> None:
        """Remove the ended session's id, so that its ending is not explained again."""
        self.session_limit_state.found = Found(Kind.ENDED)
        self.pop(engines.ENDED_ID, None)
        if not self._session_cache:
            self.flush()

    def undo_login(self) -> SessionChanges:
        """
        Restore the session data from before ``login()``, and return all changes.

        The changes are those of ``login()``, the receivers of its signal, and code that
        ran earlier in the request. Some effects are still lost. A browser without a
        session cookie receives no new cookie. A rollback removes what a view stored in
        its transaction.
        """
        state, sign_in = self.session_limit_state, self.session_limit_state.sign_in
        # before_login is None if the project signs users in without login().
        before = sign_in.before_login or BeforeLogin.of(
            self, self._session_cache, state, replaces=False
        )
        written = copies.changed(self._session_cache, before.loaded, self)
        data = copies.values(before.data)
        if before.replaces:
            if self.session_key is not None:
                self.delete(self.session_key)
            self._replace_data(data)
            self._session_key, self.modified = before.key, before.modified
            state.found, sign_in.admitted = before.found, before.admitted
            sign_in.before_login, sign_in.restored = None, True
        else:
            self._replace_data(data)
            # A user may have been signed in before, in a session that has ended since.
            engines.forget_user(self)
        if state.request is not None:
            before.restore(state.request)
        return SessionChanges(written, copies.values(before.loaded))

    def _replace_data(self, data: Mapping[str, Any]) -> None:
        """Replace the session data by ``data``, and mark it as modified."""
        # Call the engine's own methods, because an engine may keep a copy of an item:
        # that of django-user-sessions stores the user's id beside the data.
        super().clear()
        for name, value in data.items():
            self[name] = value

    def restore_after_error(self) -> None:
        """Restore the session of somebody else if ``login()`` raised an error."""
        state = self.session_limit_state
        if state.replaced is not None and state.sign_in.refusal is None:
            self.undo_login()

    def remember_before_login(self, *, replaces: bool = False) -> None:
        """
        Remember the session, so that ``undo_login()`` can restore it.

        ``replaces`` says that ``login()`` flushes the session of somebody else.
        """
        state = self.session_limit_state
        # The first login() may have failed after it flushed the session.
        if state.replaced is None:
            before = BeforeLogin.of(self, self._session_cache, state, replaces=replaces)
            state.sign_in.before_login, state.sign_in.restored = before, False
            state.sign_in.admitted = state.sign_in.admitted and not replaces
        state.sign_in.has_changed_key = True

    def give_up(self) -> None:
        """
        Discard this request's changes to the session after a failed sign-in.

        The browser keeps the session that it had before the request. A sign-in fails if
        a database conflict interrupts it, or if the response is a server error.
        """
        sign_in, row = self.session_limit_state.sign_in, self.session_limit_state.row
        before = sign_in.before_login
        # The database may abort this save, too.
        with contextlib.suppress(DatabaseError, UpdateError):
            if row is None or sign_in.admitted:
                self._session_cache = (
                    copies.values(before.loaded) if before else {**sign_in.loaded}
                )
                self.restore_before_login()
            if row is not None and before is not None and before.began(engines.ID):
                # The sign-in is committed, but its cookie will not reach the browser.
                end_row(row.id, UserSession.Reason.SIGNED_OUT)

    def restore_before_login(self) -> None:
        """
        Restore the session that the browser had before the sign-in.

        If that session was stored under the key in the client's cookie, its data
        returns to that key. The client gets no new cookie. A new cookie would replace
        the cookie that another tab may just have received by signing in.

        If nothing was stored under that key, the client may have made the key up, and
        somebody else may know the key (session fixation, ASVS 7.2.3). The data is then
        saved under a new key with the response.
        """
        state = self.session_limit_state
        before = state.sign_in.before_login
        if before is not None and before.replaces:
            self.undo_login()
        if state.sign_in.restored:
            self.leave_untouched()
            return
        key, presented_key = self.session_key, state.presented_key
        data = self._session_cache
        if key is not None and key != presented_key:
            self.delete(key)
            # Under signed_cookies, delete() has emptied the session.
            self._session_cache = data
        if presented_key is not None and key != presented_key:
            if presented_key == state.loaded_key:
                self._session_key = presented_key
                # A rollback may have restored the stored session already.
                with contextlib.suppress(CreateError):
                    self.save(must_create=True)
            elif data:
                self._session_key = None
                return
        self.leave_untouched()
