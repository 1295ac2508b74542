"""A sign-in, as the registry sees it, and the row that it is entered in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone

from session_limit import audit, signals
from session_limit.client import Client, describe, known_browsers
from session_limit.conf import NewSignIn, conf
from session_limit.models import DatabaseNow, UserSession, parse_uuid
from session_limit.registry.accounts import locked
from session_limit.registry.activity import deadline
from session_limit.registry.credentials import digest
from session_limit.registry.limits import storable_scope
from session_limit.registry.pending import Choice, cancel_pending
from session_limit.rules import get_rules
from session_limit.store import engines
from session_limit.store.queries import Row
from session_limit.utils.after_commit import after_commit

Reason = UserSession.Reason

# Of this many sessions no person looks at all.
MAX_NOTICES = 100


@dataclass(frozen=True, slots=True)
class SignIn:
    """What does not change from one attempt at an admission to the next."""

    user: AbstractBaseUser
    request: HttpRequest
    # Described before the lock, which no callable of a project's holds up.
    client: Client
    scope: str
    exempt: bool
    adopted: bool
    # The id that its session came with, if it was signed in before.
    own_id: UUID | None
    # Whether its user has not signed in from this browser before.
    is_new_browser: bool
    now: datetime
    authenticated_at: datetime
    choice: Choice | None

    @classmethod
    def of(
        cls,
        user: AbstractBaseUser,
        request: HttpRequest,
        *,
        adopted: bool = False,
        choice: Choice | None = None,
    ) -> SignIn:
        now = timezone.now()
        # When an adopted one gave its credentials nobody knows: no later than this.
        last_login = getattr(user, "last_login", None) if adopted else None
        exempt = get_rules().exempt(user, request)
        is_told = conf.new_sign_in is not NewSignIn.NONE and not (exempt or adopted)
        if choice is None:
            scope = storable_scope(get_rules().scope(user, request), "scope")
        else:
            scope = choice.pending.scope
        return cls(
            user=user,
            request=request,
            client=describe(request),
            scope=scope,
            exempt=exempt,
            adopted=adopted,
            own_id=parse_uuid(request.session.get(engines.ID)),
            is_new_browser=is_told and known_browsers.is_new(request, user.pk),
            now=now,
            authenticated_at=last_login or now,
            choice=choice,
        )

    @property
    def session(self) -> SessionBase:
        return self.request.session


def own_row(sign_in: SignIn, using: str) -> UserSession | None:
    """Return the live row that this browser's session has already."""
    if sign_in.own_id is None:
        return None
    rows = UserSession.objects.using(using).live().for_user(sign_in.user)
    return next(iter(locked(rows.filter(pk=sign_in.own_id))), None)


def give_notice(id: UUID, rows: list[UserSession], using: str) -> None:
    """
    Have those of ``rows``, which are locked, that stay told of the sign-in with this
    id. Not an administrator who is signed in as somebody: it is not theirs to hear.
    """
    told = [row.pk for row in rows if row.is_live and row.counted][-MAX_NOTICES:]
    if told:
        UserSession.objects.using(using).filter(pk__in=told).update(notice=id)


def enter(sign_in: SignIn, own: UserSession | None, using: str, id: UUID) -> Row:
    """Record the sign-in in the row that its browser has, or in a new one."""
    if sign_in.choice is not None:
        # In this transaction, so that one choice never admits twice.
        cancel_pending(sign_in.choice.pending)
    if own is None:
        if sign_in.own_id is not None:
            # That one ended meanwhile, and what was stored under the key with it.
            sign_in.session._session_key = None
        return Row.of(record(sign_in, id, using))
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


def _deadline(sign_in: SignIn) -> tuple[datetime, Reason]:
    return deadline(
        sign_in.user,
        sign_in.session.get_expiry_date(modification=sign_in.now),
        active_at=sign_in.now,
        authenticated_at=sign_in.authenticated_at,
    )


def record(sign_in: SignIn, id: UUID, using: str) -> UserSession:
    session, client = sign_in.session, sign_in.client
    session[engines.ID] = id.hex
    if session.session_key is None:
        session.create()
    expires_at, expires_reason = _deadline(sign_in)
    row = UserSession(
        id=id,
        user_id=sign_in.user.pk,
        session_key=engines.storable(session.session_key),
        key_digest=engines.digest(session.session_key),
        key_recorded_at=cast("Any", DatabaseNow()),
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
    # The database has set the moment. Deferred, so that it is read only if needed.
    del row.key_recorded_at
    after_commit(using, _tell_started, row, sign_in)
    return row


def _tell_started(row: UserSession, sign_in: SignIn) -> None:
    audit.started(row)
    signals.session_started.send_robust(
        sender=UserSession,
        session=row,
        request=sign_in.request,
        is_new_browser=sign_in.is_new_browser,
    )
