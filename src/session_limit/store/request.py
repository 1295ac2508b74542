"""``request.session_limit``: what a view may ask about the session it serves."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from session_limit.models import UserSession, UserSessionQuerySet
from session_limit.store.queries import Row
from session_limit.store.state import SessionState, state_of


class SessionLimit:
    """
    Lazy: nothing is read before it is asked for. Annotate a view's request as
    ``GuardedRequest`` to have it typed.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def current(self) -> UserSession | None:
        """The live session of this request, or ``None``."""
        row = self._row()
        return None if row is None else self._sessions().filter(pk=row.id).first()

    async def acurrent(self) -> UserSession | None:
        """See ``current``."""
        return await sync_to_async(lambda: self.current)()

    @property
    def ended(self) -> UserSession | None:
        """
        The ended session whose cookie this request bears, or ``None``.

        If the session has expired and its row could not be written, the row says when
        and why only in memory: see ``registry.try_to_end()``.
        """
        state = self._guard()
        return state.tombstone() if state is not None else None

    async def aended(self) -> UserSession | None:
        """See ``ended``."""
        return await sync_to_async(lambda: self.ended)()

    @property
    def others(self) -> UserSessionQuerySet:
        """The account's other live sessions."""
        row, sessions = self._row(), self._sessions().live()
        if row is None:
            return sessions.none()
        return sessions.filter(user_id=row.user_id).exclude(pk=row.id)

    async def aothers(self) -> UserSessionQuerySet:
        """See ``others``."""
        return await sync_to_async(lambda: self.others)()

    def _sessions(self) -> UserSessionQuerySet:
        # A replica may not know yet of what this request is about.
        return UserSession.objects.primary()

    def _guard(self) -> SessionState | None:
        state = state_of(self._request)
        if state is not None:
            self._request.session.keys()  # loads it
        return state

    def _row(self) -> Row | None:
        state = self._guard()
        return state.row if state is not None else None


class GuardedRequest(HttpRequest):
    """A request as ``SessionLimitMiddleware`` hands it on. For annotations."""

    session_limit: SessionLimit
