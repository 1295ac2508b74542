"""Define ``request.session_limit``, through which views find the user's sessions."""

from __future__ import annotations

import functools
from typing import Any, Self, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import middleware
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest
from django.utils.functional import cached_property

from session_limit.models import UserSession, UserSessionQuerySet
from session_limit.store.guarded import GuardedSession, install
from session_limit.store.liveness import Row
from session_limit.store.state import ANSWERED, CONNECTION, SessionState, state_of
from session_limit.store.unstored_keys import identify_key
from session_limit.utils.clock import utc_now
from session_limit.utils.guarded_classes import GuardedCopies, with_mixin


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


class GuardedRequest(GuardedCopies, HttpRequest):
    """
    The type of a request that has passed through ``SessionLimitMiddleware``.

    Its user is the one that was read together with the session, if there is one.
    Otherwise ``AuthenticationMiddleware`` reads the user.
    """

    @cached_property
    def session_limit(self) -> SessionLimit:
        return SessionLimit(self)

    # The class of the request before it was guarded.
    unguarded: type[HttpRequest]

    # AuthenticationMiddleware keeps the user in these two attributes. If an attribute
    # is missing (``AttributeError``), the middleware reads the user and sets it.

    @cached_property
    def _cached_user(self) -> AbstractBaseUser:
        return self._joined_user()

    @cached_property
    def _acached_user(self) -> AbstractBaseUser:
        # auser() has loaded the session. Without it, code outside a thread must not.
        if not hasattr(self.session, "_session_cache"):
            raise AttributeError("_acached_user")
        return self._joined_user()

    def _joined_user(self) -> AbstractBaseUser:
        state = state_of(self)
        if state is None:
            raise AttributeError("_cached_user")
        state.is_asked_for_user = True
        session = cast("GuardedSession", self.session)
        data = session._get_session()  # noqa: SLF001 as its items() would
        user = state.user.take(data) if state.user is not None else None
        if user is None:
            raise AttributeError("_cached_user")
        return user

    @property
    def auser(self) -> Any:
        """Return the function that ``AuthenticationMiddleware`` or other code set."""
        try:
            function = vars(self)["auser"]
        except KeyError:
            raise AttributeError("auser") from None
        is_djangos = getattr(function, "func", None) is middleware.auser
        if not is_djangos:
            return function
        # Other code may set a function that calls this one.
        return functools.partial(self._load_and_find_user, function)

    @auser.setter
    def auser(self, function: Any) -> None:
        vars(self)["auser"] = function

    @auser.deleter
    def auser(self) -> None:
        vars(self).pop("auser")

    async def _load_and_find_user(self, auser: Any) -> Any:
        # Load the session in one thread, before Django looks at ``_acached_user``.
        state = state_of(self)
        if state is not None and "_acached_user" not in vars(self):
            state.is_asked_for_user = True
            await self.session.akeys()
        return await auser()

    def _guard(self, copied: HttpRequest) -> Self:
        copied.__class__ = type(self)
        return cast("Self", copied)

    def _plain(self) -> HttpRequest:
        plain = object.__new__(self.unguarded)
        vars(plain).update(vars(self))
        return plain


@functools.cache
def _guarded(kind: type[Any]) -> type[GuardedRequest]:
    """Return a subclass of ``kind`` that also inherits from ``GuardedRequest``."""
    if issubclass(kind, GuardedRequest):
        return kind
    return with_mixin(GuardedRequest, kind, unguarded=kind)


def guard(request: HttpRequest) -> None:
    """
    Guard the session of ``request``, and turn ``request`` into a ``GuardedRequest``.

    The request stays the same object and keeps its attributes. Nothing is read.
    """
    kind: Any = type(request)
    request.__class__ = _guarded(kind)
    attributes = vars(request)
    # Other code may pass the same request through the middleware again.
    attributes.pop(ANSWERED, None)
    if "scope" in attributes and CONNECTION in attributes["scope"]:
        # SessionGuard identifies the session of a response that streams.
        attributes["scope"][CONNECTION].request = request
    install(request)
