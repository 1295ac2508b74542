"""Define the data that this package keeps about the session of a request."""

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
    from session_limit.store.before_login import BeforeLogin
    from session_limit.store.joined_users import JoinedUser
    from session_limit.store.last_login import LastLogin
    from session_limit.store.liveness import Row

# The key in an ASGI scope for the connection to which SessionLimitMiddleware passes its
# request. SessionGuard puts the connection there.
CONNECTION = "session_limit"
# The attribute of a guarded session that holds its SessionState once it is used.
STATE = "session_limit_state"
# The attribute of a request that says whether the middleware has decided the response.
ANSWERED = "session_limit_is_answered"


class Kind(enum.Enum):
    """The possible states of a request's session."""

    # Anonymous, or not read yet.
    ANONYMOUS = enum.auto()
    LIVE = enum.auto()
    ENDED = enum.auto()
    # Nothing is stored under the key in the client's cookie. The registry was not asked
    # about the key yet, does not know it, or knows it as the key of a live session.
    NOT_STORED = enum.auto()
    UNKNOWN_KEY = enum.auto()
    NOT_STORED_BUT_LIVE = enum.auto()


class Found(NamedTuple):
    """
    The result of looking up the session of a request.

    ``row`` is the ``UserSession`` row of a live session. ``session_hash`` is the loaded
    authentication hash of a live session. ``ended_id`` is the id of an ended session's
    row. ``ended_reason`` is set if that row may still be marked as live.
    ``ended_during_request`` is true if the session was live when the request began.
    """

    kind: Kind = Kind.ANONYMOUS
    row: Row | None = None
    session_hash: str | None = None
    ended_id: UUID | None = None
    ended_reason: UserSession.Reason | None = None
    ended_during_request: bool = False

    def __repr__(self) -> str:
        # Keep the hash out of tracebacks.
        return f"<Found: {self.kind.name}>"

    @property
    def is_ended(self) -> bool:
        return self.kind is Kind.ENDED

    @property
    def is_not_stored(self) -> bool:
        """Whether no data is stored under the cookie's key and no ending is known."""
        return self.kind in _NOT_STORED


_NOT_STORED = {Kind.NOT_STORED, Kind.UNKNOWN_KEY, Kind.NOT_STORED_BUT_LIVE}


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A sign-in that was refused and undone.

    ``admission`` is the decision, or ``None`` if a person must first confirm an
    automatic sign-in in a browser with an ended session. ``changes`` contains what the
    request had written into the session.
    """

    user: AbstractBaseUser
    admission: Admission | None
    changes: SessionChanges = field(repr=False)


@dataclass(slots=True, repr=False)
class SignInRecord:
    """A record of a request's sign-in, with the data needed to undo the sign-in."""

    # The data of an anonymous session when it was loaded.
    loaded: Mapping[str, Any] = field(default_factory=dict)
    # The session before login(), or None if this request did not call login().
    before_login: BeforeLogin | None = None
    # Whether the request has flushed the session or changed its key.
    has_changed_key: bool = False
    # Whether the session of somebody else was restored after a sign-in failed.
    restored: bool = False
    # The user's last login before this one, if the user model records it.
    last_login: LastLogin | None = None
    # Which sessions the person chose to end. The user's next sign-in applies this.
    choice: Choice | None = None
    admitted: bool = False
    adopted: bool = False
    refusal: Refusal | None = None


class ResponseRecord(NamedTuple):
    """
    A record of how the session was saved for the response.

    ``saved`` holds the saved key and serialized data, or ``None``. If ``untouched`` is
    true, neither the stored session nor the client's cookie may change.
    """

    saved: tuple[str | None, bytes] | None = None
    untouched: bool = False

    def __repr__(self) -> str:
        # Keep the key out of tracebacks.
        return f"<ResponseRecord: untouched={self.untouched}>"


class SessionState:
    """
    The state that this package keeps for the session of one request.

    ``request`` is ``None`` if other code created the session and has not yet assigned
    the session to a request. ``presented_key`` is the key in the client's cookie.
    """

    # The defaults are class attributes, so that a request which does not read its
    # session sets none of them.

    found = Found()
    response = ResponseRecord()
    # The key in the client's cookie, if the store held a session under it. Otherwise
    # the client may have made the key up.
    loaded_key: str | None = None
    # Whether the database aborted the work of a middleware further in, for which Django
    # has answered 500.
    in_conflict = False
    # Whether code has emptied the session without having read it.
    cleared_unread = False
    # The key that the registry has recorded and that the engine must use next.
    next_key: str | None = None
    # The user whom the session's statement has read, until code uses request.user.
    user: JoinedUser | None = None
    # Whether the session is loaded because somebody asks for the user.
    is_asked_for_user = False

    def __init__(
        self, presented_key: str | None, request: HttpRequest | None = None
    ) -> None:
        self.presented_key = presented_key
        self.request = request

    @cached_property
    def sign_in(self) -> SignInRecord:
        return SignInRecord()

    @property
    def signs_in(self) -> bool:
        """Whether this request has a ``SignInRecord``."""
        return "sign_in" in vars(self)

    @property
    def is_answered(self) -> bool:
        """
        Whether the middleware has decided the response to the request.

        From then on, ``login()`` raises ``TooLateToSignIn``, and the session keeps its
        key.
        """
        return getattr(self.request, ANSWERED, False)

    @property
    def row(self) -> Row | None:
        """The ``UserSession`` row of the session, or ``None`` if it is not live."""
        return self.found.row

    @property
    def replaced(self) -> BeforeLogin | None:
        """The session of somebody else that an unfinished sign-in replaces, if any."""
        before = self.sign_in.before_login
        is_replaced = before is not None and before.replaces
        return before if is_replaced and not self.sign_in.admitted else None

    def keep_user(self, user: JoinedUser | None) -> None:
        """Keep the user who was read with the session until somebody asks for it."""
        self.user = user
        if user is not None and not self.is_asked_for_user:
            user.watch()

    def forget_user(self) -> None:
        """Let Django read the user if somebody asks for the user from now on."""
        if self.user is not None:
            self.user.forget()
            self.user = None

    def admit(self, row: Row) -> None:
        """Record that a sign-in was admitted, and its ``UserSession`` row."""
        self.found = Found(Kind.LIVE, row)
        self.sign_in.admitted, self.sign_in.refusal = True, None

    def refuse(self, refusal: Refusal) -> None:
        """Record that a sign-in was refused and undone."""
        if self.found.kind is Kind.LIVE and not self.sign_in.restored:
            self.found = Found()
        self.sign_in.refusal = refusal


def state_of(request: HttpRequest | None) -> SessionState | None:
    """Return the request's ``SessionState``, or ``None`` if its session has none."""
    state: SessionState | None = getattr(
        getattr(request, "session", None), "session_limit_state", None
    )
    if state is not None and request is not None and state.request is None:
        # Other code has replaced the session that the middleware guarded.
        state.request = request
        state.presented_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return state
