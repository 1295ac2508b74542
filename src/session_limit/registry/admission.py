"""Admitting a sign-in: count, decide, end and record, atomically."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from session_limit import audit, policy, signals, stored
from session_limit.client import describe
from session_limit.conf import conf
from session_limit.models import UserSession, session_id, uuid7
from session_limit.policy import AtLimit
from session_limit.registry import ghosts
from session_limit.registry.credentials import digest
from session_limit.registry.ending import end_locked
from session_limit.registry.limits import (
    at_limit_for,
    limit_for,
    scope_for,
)
from session_limit.registry.locking import (
    in_transaction,
    live_rows,
    lock_account,
    locked,
)
from session_limit.registry.upkeep import deadline
from session_limit.verify import Row

Reason = UserSession.Reason


@dataclass(frozen=True, slots=True)
class Admission:
    """
    How a sign-in went. ``row`` is its session's, ``None`` where it was refused;
    ``limit`` is that of its ``scope``.
    """

    row: Row | None
    scope: str
    limit: int | None = None
    at_limit: AtLimit | None = None


@dataclass(frozen=True, slots=True)
class _SignIn:
    """What does not change from one attempt at an admission to the next."""

    user: AbstractBaseUser
    request: HttpRequest
    scope: str
    exempt: bool
    adopted: bool
    # The id that its session came with, if it was signed in before.
    own_id: UUID | None
    now: datetime
    authenticated_at: datetime

    @classmethod
    def of(
        cls, user: AbstractBaseUser, request: HttpRequest, *, adopted: bool = False
    ) -> _SignIn:
        now = timezone.now()
        # When an adopted one gave its credentials nobody knows: no later than this.
        last_login = getattr(user, "last_login", None) if adopted else None
        return cls(
            user=user,
            request=request,
            scope=scope_for(conf.rules.scope(user, request)),
            exempt=conf.rules.exempt(user, request),
            adopted=adopted,
            own_id=session_id(request.session.get(stored.ID)),
            now=now,
            authenticated_at=last_login or now,
        )

    @property
    def session(self) -> SessionBase:
        return self.request.session


def admit(
    user: AbstractBaseUser, request: HttpRequest, presented_key: str | None = None
) -> Admission:
    """
    Admit the sign-in of ``user`` that ``login()`` has just written into
    ``request.session``, or refuse it. ``presented_key`` is the key of the session
    cookie that came with the request.

    An admitted session carries the id of its row, and has a key: without one it
    would be stored only with the response, and whoever ended it before then would
    find nothing to delete. Signing in again in the same browser takes no second
    place. Raises what the rules raise, having changed nothing.
    """
    sign_in = _SignIn.of(user, request)
    session = sign_in.session
    key = session.session_key

    def work(using: str) -> Admission:
        # A second attempt begins where the first one did: what that stored has
        # been rolled back.
        session._session_key = key
        return _admit(sign_in, presented_key, using)

    return in_transaction(work)


def _admit(sign_in: _SignIn, presented_key: str | None, using: str) -> Admission:
    user, now, own_id = sign_in.user, sign_in.now, sign_in.own_id
    limit = None
    if not sign_in.exempt:
        account = lock_account(user.pk, using)
        limit = limit_for(user, sign_in.scope, account)
    if limit is None:
        own = _own(sign_in, using)
        return Admission(_enter(sign_in, own, using), sign_in.scope)

    live = ghosts.end_due(live_rows(user, using), now, using)
    live = ghosts.end_same_browser(live, presented_key, own_id, using)
    own = next((row for row in live if row.pk == own_id), None)
    # A scope is fixed at the first sign-in.
    scope = sign_in.scope if own is None else own.scope
    at_limit = at_limit_for(user, scope)
    decide = functools.partial(
        policy.decide, limit=limit, at_limit=at_limit, displace=conf.displace
    )
    rivals = [row for row in live if row.takes_place_in(scope) and row is not own]
    decision = decide([row.facts() for row in rivals])
    if own is None and not decision.admitted:
        rivals = ghosts.end_gone(rivals, user, account, now, using)
        decision = decide([row.facts() for row in rivals])
        if not decision.admitted:
            return Admission(None, scope, limit, at_limit)

    id = uuid7() if own is None else own.pk
    end_locked(
        [row for row in rivals if row.pk in decision.ended],
        Reason.DISPLACED,
        using,
        by_session=id,
    )
    row = _enter(sign_in, own, using, id)
    if decision.exceeded and own is None:
        tell = functools.partial(
            announce_limit_reached, user, Admission(row, scope, limit, at_limit)
        )
        transaction.on_commit(tell, using=using, robust=True)
    return Admission(row, scope, limit, at_limit)


def adopt(user: AbstractBaseUser, request: HttpRequest) -> Row | None:
    """
    Admit a session that says it is signed in and has no id: signed in before this
    package was installed, or by code that sets the keys by hand.

    It counts as its scope's oldest: it takes a free place, and else ends as
    displaced. Parallel first requests of one browser are given the same row. Returns
    ``None`` where it was not admitted.
    """
    sign_in = _SignIn.of(user, request, adopted=True)
    session = sign_in.session
    digests = stored.digests(session.session_key or "")
    signed_at = stored.signed_at(session)

    def work(using: str) -> Row | None:
        account = lock_account(user.pk, using)
        known = (
            UserSession.objects.using(using)
            .filter(key_digest__in=digests)
            .select_for_update()
            .order_by("-pk")
            .first()
        )
        if known is not None and known.user_id == user.pk:
            session[stored.ID] = known.pk.hex
            return Row.of(known) if known.is_live else None
        if known is not None and known.is_live:
            # This browser's, from before other code signed this account in here.
            end_locked([known], Reason.SIGNED_OUT, using)
        limit = limit_for(user, sign_in.scope, account)
        live = ghosts.end_due(live_rows(user, using), sign_in.now, using)
        rivals = [row for row in live if row.takes_place_in(sign_in.scope)]
        decision = policy.decide_adoption(
            [row.facts() for row in rivals], limit=None if sign_in.exempt else limit
        )
        is_copy = signed_at is not None and _has_ended_since(user, signed_at, using)
        entered = _record(sign_in, uuid7(), using)
        if decision.admitted and not is_copy:
            return Row.of(entered)
        reason = Reason.EXPIRED if decision.admitted else Reason.DISPLACED
        end_locked([entered], reason, using)
        return None

    return in_transaction(work)


def _has_ended_since(user: AbstractBaseUser, signed_at: datetime, using: str) -> bool:
    """
    Whether a session of ``user`` has ended since. A signed cookie from before may be
    that one's, from before it was adopted, and kept by its client: nobody can tell.
    """
    ended = UserSession.objects.using(using).for_user(user)
    return ended.filter(ended_at__gte=signed_at).exists()


def _own(sign_in: _SignIn, using: str) -> UserSession | None:
    """Return the live row that this browser's session has already."""
    if sign_in.own_id is None:
        return None
    rows = UserSession.objects.using(using).live().for_user(sign_in.user)
    return next(iter(locked(rows.filter(pk=sign_in.own_id))), None)


def _enter(
    sign_in: _SignIn, own: UserSession | None, using: str, id: UUID | None = None
) -> Row:
    """Record the sign-in in the row that its browser has, or in a new one."""
    if own is None:
        if sign_in.own_id is not None:
            # That one ended meanwhile, and what was stored under the key with it.
            sign_in.session._session_key = None
        return Row.of(_record(sign_in, id or uuid7(), using))
    own.authenticated_at = own.last_active_at = sign_in.now
    own.credentials = digest(sign_in.session.get(HASH_SESSION_KEY))
    own.expires_at, own.expires_reason = _deadline(sign_in)
    own.save(
        using=using,
        update_fields=[
            "authenticated_at",
            "last_active_at",
            "credentials",
            "expires_at",
            "expires_reason",
        ],
    )
    return Row.of(own)


def _deadline(sign_in: _SignIn) -> tuple[datetime, Reason]:
    return deadline(
        sign_in.user,
        sign_in.session.get_expiry_date(modification=sign_in.now),
        active_at=sign_in.now,
        authenticated_at=sign_in.authenticated_at,
    )


def _record(sign_in: _SignIn, id: UUID, using: str) -> UserSession:
    session, client = sign_in.session, describe(sign_in.request)
    session[stored.ID] = id.hex
    if session.session_key is None:
        session.create()
    expires_at, expires_reason = _deadline(sign_in)
    row = UserSession(
        id=id,
        user_id=sign_in.user.pk,
        session_key=stored.storable(session.session_key),
        key_digest=stored.digest(session.session_key),
        credentials=digest(session.get(HASH_SESSION_KEY)),
        scope=sign_in.scope,
        counted=not sign_in.exempt,
        adopted=sign_in.adopted,
        created_at=sign_in.now,
        authenticated_at=sign_in.authenticated_at,
        last_active_at=sign_in.now,
        expires_at=expires_at,
        expires_reason=expires_reason,
        address=client.address,
        device=client.device,
        device_class=client.device_class,
    )
    row.save(using=using, force_insert=True)
    tell = functools.partial(_tell_started, row, sign_in.request)
    transaction.on_commit(tell, using=using, robust=True)
    return row


def _tell_started(row: UserSession, request: HttpRequest) -> None:
    audit.started(row)
    signals.session_started.send_robust(
        sender=UserSession, session=row, request=request
    )


def announce_limit_reached(user: AbstractBaseUser, admission: Admission) -> None:
    """Tell that a sign-in met the limit, and what was done about it."""
    facts: dict[str, Any] = {
        "scope": admission.scope,
        "limit": admission.limit,
        "at_limit": admission.at_limit,
        "session_id": admission.row.id if admission.row is not None else None,
    }
    audit.limit_reached(user.pk, **facts)
    signals.limit_reached.send_robust(sender=UserSession, user=user, **facts)
