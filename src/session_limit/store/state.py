"""What is known of one request's session, from its cookie to its response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from session_limit import registry
from session_limit.models import UserSession
from session_limit.pages import chooser, use_here
from session_limit.store import engines, queries
from session_limit.store.queries import Row

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest


# Where SessionGuard leaves itself in an ASGI scope, to be told of the request.
CONNECTION = "session_limit"


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A sign-in that was undone. ``admission`` says how it met the limit; ``None``: it
    happened by itself in a browser whose session has ended, and a person has to
    choose it first. ``left``: what its request had put into the session.
    """

    user: AbstractBaseUser
    admission: registry.Admission | None
    left: registry.SessionChanges


class SessionState:
    """What is known of one request's session."""

    # Defaults of the class: a request that does not read its session sets none.

    # The key under which the store held this session. Until then the key in the cookie
    # is the client's word alone.
    loaded_key: str | None = None
    # Whether the key in the cookie leads nowhere.
    missing = False
    # Its row, while it is live; whether this request signed it in, or adopted it.
    row: Row | None = None
    admitted = False
    adopted = False
    # The hash of the credentials that it was loaded with.
    loaded_hash: str | None = None
    # An ended session was presented; the id of its tombstone; why it ended, if the
    # tombstone may not have been written.
    ended = False
    ended_id: UUID | None = None
    ended_reason: UserSession.Reason | None = None
    # It ended under this request.
    overtaken = False
    refusal: Refusal | None = None
    # The middleware has prepared the response: no cookie can be set any more.
    is_answered = False
    # The data that nobody's session was loaded with, and what they were before login()
    # wrote into them.
    loaded: Mapping[str, Any] = {}
    before_login: dict[str, Any] | None = None
    # What a person was asked, and has chosen: the sign-in that comes next is that one.
    choice: registry.Choice | None = None
    # logout() is about to empty it; code emptied it without reading it.
    signing_out = False
    cleared_unread = False
    # Whether the registry was asked about a missing one, and knows it as live.
    identified = False
    is_live_elsewhere = False
    # The key that is recorded for it and that the engine is to use next.
    next_key: str | None = None
    # What the response phase has saved; leave what is stored, and the cookie.
    saved: tuple[str | None, bytes] | None = None
    inert = False
    # The database gave up on a middleware further in, and Django has answered 500.
    in_conflict = False

    def __init__(
        self, presented_key: str | None, request: HttpRequest | None = None
    ) -> None:
        self.request = request
        # The key in the cookie.
        self.presented_key = presented_key

    def identify(self) -> None:
        """
        Find whose cookie this is where the store has nothing left under its key: by
        the key's digest, in one query, once.
        """
        if not self.missing or self.identified:
            return
        self.identified = True
        key = engines.storable(self.presented_key)
        row = queries.read_by_digest(key) if key is not None else None
        if row is None:
            return
        if row.ended_at is not None:
            self.mark_ended(row.id)
        elif row.is_due(timezone.now()):
            reason = UserSession.Reason(row.expires_reason)
            registry.try_to_end(row.id, reason)
            self.mark_ended(row.id, reason)
        else:
            # Left alone: a replica may lag, or a cache be away.
            self.is_live_elsewhere = True

    def mark_ended(
        self, id: UUID | None, reason: UserSession.Reason | None = None
    ) -> None:
        """
        Note that the request presented an ended session, whose row has this ``id``.
        Give the ``reason`` if the row may not say so: its ending was decided from what
        was read, and recording it may have failed.
        """
        self.ended, self.ended_id, self.ended_reason = True, id, reason

    def tombstone(self) -> UserSession | None:
        """Read the row of the ended session that the request presented, if any."""
        self.identify()
        if self.ended_id is None:
            return None
        rows = UserSession.objects.primary()
        row = rows.filter(pk=self.ended_id).first()
        if row is not None and row.is_live:
            if self.ended_reason is None:
                return None
            row.ended_at, row.ended_reason = timezone.now(), self.ended_reason
        return row

    def must_be_chosen(self) -> bool:
        """
        Whether this sign-in happens by itself, in a browser whose session has ended:
        two of those would displace each other for ever (ASVS 7.6.2). By itself: in a
        middleware (``RemoteUser``), or in a frame or a script (silent single sign-on).
        """
        request = self.request
        if request is None:
            return False
        by_itself = request.resolver_match is None or (
            request.method == "GET"
            and request.headers.get("Sec-Fetch-Dest", "document") != "document"
        )
        if not by_itself:
            return False
        self.identify()
        return self.ended_id is not None and not use_here.is_chosen(
            request, self.ended_id
        )

    def choice_for(self, user: AbstractBaseUser) -> registry.Choice | None:
        """
        Return what the person chose from whom this sign-in of ``user`` comes, if they
        were asked. Where signing in happens by itself, in a middleware, that is before
        the chooser's view can say so.
        """
        request, choice = self.request, self.choice
        if request is None:
            return None
        by_itself = request.resolver_match is None
        if choice is None and by_itself and request.method == "POST":
            choice = chooser.choice(request)
        is_theirs = choice is not None and choice.pending.user_id == user.pk
        self.choice = choice if is_theirs else None
        return self.choice

    def admit(self, row: Row) -> None:
        """Take note that a sign-in was admitted."""
        self.row, self.admitted, self.refusal = row, True, None
        self.ended, self.ended_id, self.missing = False, None, False
        self.overtaken = False

    def refuse(self, refusal: Refusal) -> None:
        """Take note that a sign-in was refused, and undone."""
        self.row, self.refusal = None, refusal


def set_answered(request: HttpRequest) -> None:
    """Note that the response is prepared: see ``SessionState.is_answered``."""
    state = state_of(request)
    if state is not None:
        state.is_answered = True


def state_of(request: HttpRequest | None) -> SessionState | None:
    """Return the guard of the request's session, or ``None`` where it has none."""
    state: SessionState | None = getattr(
        getattr(request, "session", None), "session_limit_state", None
    )
    if state is not None and request is not None and state.request is None:
        # It was put in place of the one that the middleware found.
        state.request = request
        state.presented_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return state
