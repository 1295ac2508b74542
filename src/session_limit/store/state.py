"""Remember what is known of a request's session until its response is sent."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.conf import settings

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest

    from session_limit.models import UserSession
    from session_limit.registry.outcomes import Admission
    from session_limit.registry.pending import Choice, SessionChanges
    from session_limit.store.queries import Row

# The key in an ASGI scope under which SessionGuard waits for the request.
CONNECTION = "session_limit"


class Kind(enum.Enum):
    """What the session of a request is."""

    # Anonymous, or not read yet.
    ANONYMOUS = enum.auto()
    LIVE = enum.auto()
    ENDED = enum.auto()
    # Nothing is stored under the presented key. The registry was not asked yet, or does
    # not know the key, or knows it as a live session's.
    NOT_STORED = enum.auto()
    UNKNOWN_KEY = enum.auto()
    NOT_STORED_BUT_LIVE = enum.auto()


class Found(NamedTuple):
    """
    What is known of the session that a request has.

    A live one has its ``row``, and the ``session_hash`` that it was loaded with. An
    ended one has the ``ended_id`` of its row, and an ``ended_reason`` if the row may
    not have been written. ``ended_during_request`` says that it was live when the
    request began.
    """

    kind: Kind = Kind.ANONYMOUS
    row: Row | None = None
    session_hash: str | None = None
    ended_id: UUID | None = None
    ended_reason: UserSession.Reason | None = None
    ended_during_request: bool = False

    def __repr__(self) -> str:
        # No traceback may show the hash.
        return f"<Found: {self.kind.name}>"

    @property
    def is_ended(self) -> bool:
        return self.kind is Kind.ENDED

    @property
    def is_not_stored(self) -> bool:
        """Whether nothing is stored under the presented key, and it is not ended."""
        return self.kind in _NOT_STORED


_NOT_STORED = {Kind.NOT_STORED, Kind.UNKNOWN_KEY, Kind.NOT_STORED_BUT_LIVE}


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A sign-in that was undone.

    ``admission`` says how it met the limit. It is ``None`` for an automatic sign-in in
    a browser with an ended session, which a person must choose first. ``changes`` is
    what the request had put into the session.
    """

    user: AbstractBaseUser
    admission: Admission | None
    changes: SessionChanges = field(repr=False)


@dataclass(slots=True, repr=False)
class SignInRecord:
    """What this request did to sign somebody in, and what undoing that needs."""

    # An anonymous session's data as they were loaded, and as they were before login().
    loaded: Mapping[str, Any] = field(default_factory=dict)
    before_login: Mapping[str, Any] | None = None
    # What the person chose on the chooser. The next sign-in of that user uses it.
    choice: Choice | None = None
    admitted: bool = False
    adopted: bool = False
    refusal: Refusal | None = None


class ResponseRecord(NamedTuple):
    """
    What the response phase did with the session.

    It has ``saved`` this key and these serialized data. Or it left the session
    ``untouched``: neither what is stored nor the client's cookie is to change.
    """

    saved: tuple[str | None, bytes] | None = None
    untouched: bool = False

    def __repr__(self) -> str:
        # No traceback may show the key.
        return f"<ResponseRecord: untouched={self.untouched}>"


class SessionState:
    """
    What is known of one request's session.

    ``request`` is ``None`` for a session that other code made and no request has yet.
    ``presented_key`` is the key in the client's cookie.
    """

    # Defaults belong to the class: a request that does not read its session sets none.

    found = Found()
    response = ResponseRecord()
    # The presented key, once the store has held a session under it. Until then the key
    # may be the client's invention.
    loaded_key: str | None = None
    # The middleware has prepared the response, so no cookie can be set any more.
    is_answered = False
    # The database gave up on a middleware further in, and Django has answered 500.
    in_conflict = False
    # logout() is about to flush the session.
    signing_out = False
    # Code emptied the session without having read it.
    cleared_unread = False
    # The key that the registry has recorded and the engine is to use next.
    next_key: str | None = None

    def __init__(
        self, presented_key: str | None, request: HttpRequest | None = None
    ) -> None:
        self.presented_key = presented_key
        self.request = request

    @cached_property
    def sign_in(self) -> SignInRecord:
        return SignInRecord()

    @property
    def row(self) -> Row | None:
        """The row of the live session."""
        return self.found.row

    def admit(self, row: Row) -> None:
        """Note that a sign-in was admitted and that its session has this ``row``."""
        self.found = Found(Kind.LIVE, row)
        self.sign_in.admitted, self.sign_in.refusal = True, None

    def refuse(self, refusal: Refusal) -> None:
        """Note that a sign-in was refused and undone."""
        if self.found.kind is Kind.LIVE:
            self.found = Found()
        self.sign_in.refusal = refusal


def set_answered(request: HttpRequest) -> None:
    """Note that the response is prepared: see ``SessionState.is_answered``."""
    state = state_of(request)
    if state is not None:
        state.is_answered = True


def state_of(request: HttpRequest | None) -> SessionState | None:
    """Return the state of the request's session, or ``None`` if it is not guarded."""
    state: SessionState | None = getattr(
        getattr(request, "session", None), "session_limit_state", None
    )
    if state is not None and request is not None and state.request is None:
        # Other code has replaced the session that the middleware guarded.
        state.request = request
        state.presented_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return state
