"""Define ``request.session_limit``, through which views find the user's sessions."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from session_limit.models import UserSession, UserSessionQuerySet
from session_limit.store.liveness import Row
from session_limit.store.state import SessionState, state_of
from session_limit.store.unstored_keys import identify_key
from session_limit.utils.clock import utc_now


class SessionLimit:
    """
    The current, ended and other sessions of the user who makes a request.

    The properties read sessions from the database. Annotate the request as
    ``GuardedRequest``, so that type checkers know ``request.session_limit``.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def current(self) -> UserSession | None:
        """The ``UserSession`` of this request, or ``None`` if no session is live."""
        row = self._row()
        # A replica may not have the row yet.
        sessions = UserSession.objects.primary()
        return None if row is None else sessions.filter(pk=row.id).first()

    async def acurrent(self) -> UserSession | None:
        """Asynchronous version of ``current``."""
        return await sync_to_async(lambda: self.current)()

    @property
    def ended(self) -> UserSession | None:
        """
        The ended ``UserSession`` to which the request's cookie belongs, or ``None``.

        If the end of an expired session could not be saved, ``ended_at`` and
        ``ended_reason`` are set on the returned object only (see ``try_to_end()``).
        """
        state = self._loaded_state()
        if state is None:
            return None
        identify_key(state)
        found, rows = state.found, UserSession.objects.primary()
        row = rows.filter(pk=found.ended_id).first() if found.ended_id else None
        if row is not None and row.is_live:
            if found.ended_reason is None:
                return None
            row.ended_at, row.ended_reason = utc_now(), found.ended_reason
        return row

    async def aended(self) -> UserSession | None:
        """Asynchronous version of ``ended``."""
        return await sync_to_async(lambda: self.ended)()

    @property
    def others(self) -> UserSessionQuerySet:
        """A queryset of the account's live sessions, except this request's session."""
        row, sessions = self._row(), UserSession.objects.primary().live()
        if row is None:
            return sessions.none()
        return sessions.filter(user_id=row.user_id).exclude(pk=row.id)

    async def aothers(self) -> UserSessionQuerySet:
        """Asynchronous version of ``others``."""
        return await sync_to_async(lambda: self.others)()

    def _loaded_state(self) -> SessionState | None:
        state = state_of(self._request)
        if state is not None:
            self._request.session.keys()  # loads the session
        return state

    def _row(self) -> Row | None:
        state = self._loaded_state()
        return state.row if state is not None else None


class GuardedRequest(HttpRequest):
    """The type of a request that has passed through ``SessionLimitMiddleware``."""

    session_limit: SessionLimit
