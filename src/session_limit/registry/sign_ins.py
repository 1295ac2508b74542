"""A sign-in, as the registry sees it, and the row that it is entered in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase

from session_limit import audit
from session_limit.client import Client
from session_limit.models import DatabaseNow, UserSession
from session_limit.registry.accounts import locked
from session_limit.registry.activity import deadline
from session_limit.registry.credentials import digest
from session_limit.registry.pending import Choice, cancel_pending
from session_limit.store import engines
from session_limit.store.queries import Row
from session_limit.utils.after_commit import after_commit

Reason = UserSession.Reason

# Of this many sessions no person looks at all.
MAX_NOTICES = 100


@dataclass(frozen=True, slots=True)
class SignIn:
    """
    The facts of one sign-in, collected before any lock is taken.

    Every attempt at the admission uses the same facts. Callables of the project, such
    as its rules, have run by then, so none of them delays a transaction.
    """

    user: AbstractBaseUser
    # The session that names the user, and the key it has before the admission.
    session: SessionBase
    key: str | None
    client: Client
    scope: str
    # Whether the sign-in takes no place and displaces no other.
    exempt: bool
    # Whether the user had signed in before the registry knew of the session.
    adopted: bool
    # The id of the session's row, if this browser was signed in before.
    own_id: UUID | None
    # The key of the session cookie that the browser sent.
    presented_key: str | None
    # Whether the user has not signed in from this browser before.
    is_new_browser: bool
    now: datetime
    authenticated_at: datetime
    # What the person chose to end, if they were asked.
    choice: Choice | None
    # Called with the row of a new session after the commit.
    announce: Callable[[UserSession], None]


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
    sign_in.announce(row)
