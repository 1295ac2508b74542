"""The credentials that a session goes by: whether they still hold, and since when."""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from session_limit.models import (
    AccountLimit,
    PendingSignIn,
    UserSession,
    parse_uuid,
    registry_alias,
)
from session_limit.registry.accounts import lock_account
from session_limit.registry.limits import read_account
from session_limit.registry.transactions import in_one_statement
from session_limit.store import engines
from session_limit.store.queries import Row
from session_limit.store.users import user_of

Reason = UserSession.Reason


def _valid_hashes(user: AbstractBaseUser) -> list[str]:
    return [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]


def hash_is_valid(session_hash: str, user: AbstractBaseUser) -> bool:
    """Whether Django would accept it: see ``django.contrib.auth.get_user()``."""
    return any(
        constant_time_compare(session_hash, valid) for valid in _valid_hashes(user)
    )


def verify(session: SessionBase) -> UserSession | None:
    """
    Return the live row of a ``session`` that no middleware has verified, or ``None``
    where it is nobody's: not signed in, ended, due, or its password was changed.

    For whatever loads a session by itself: a Channels consumer (``scope["session"]``),
    a management command, ``SessionStore(session_key)``. Two indexed reads beside the
    session's own. The answer was true when it was read: ask again where it matters
    again, as before each thing that is sent.
    """
    id = parse_uuid(session.get(engines.ID))
    rows = UserSession.objects.primary().live()
    found = rows.filter(pk=id).first() if id is not None else None
    if found is None:
        return None
    row, user_id = Row.of(found), session.get(SESSION_KEY)
    if not row.belongs_to(user_id) or row.is_due(timezone.now()):
        return None
    user = user_of(session)
    if user is None or not hash_is_valid(session.get(HASH_SESSION_KEY, ""), user):
        return None
    return found


async def averify(session: SessionBase) -> UserSession | None:
    """See ``verify()``."""
    return await sync_to_async(verify)(session)


def digest(session_hash: str | None) -> str:
    """Return what is recorded of a ``HASH_SESSION_KEY``: enough to know it again."""
    if not session_hash:
        return ""
    return hashlib.sha256(session_hash.encode()).hexdigest()[:32]


def is_recorded_of(row: UserSession | PendingSignIn, user: AbstractBaseUser) -> bool:
    """Whether the credentials recorded of ``row`` are those that ``user`` has."""
    return not row.credentials or row.credentials in map(digest, _valid_hashes(user))


def has_credentials(id: UUID, session_hash: str) -> bool:
    """
    Whether the session with this id goes by this hash. If not, what holds the hash is
    a copy from before a password change, which an engine brought back or the client
    kept (``signed_cookies``), and its end is not the session's.
    """
    row = UserSession.objects.primary().filter(pk=id)
    return row.filter(credentials__in=["", digest(session_hash)]).exists()


def credentials_reason(
    authenticated_at: datetime,
    user: AbstractBaseUser,
    account: AccountLimit | None = None,
) -> Reason:
    """
    Return why the credentials given at ``authenticated_at`` no longer hold. A
    password hash upgraded at sign-in or a new ``SECRET_KEY`` ends sessions too: only
    a password that is known to have been changed since is called that.
    """
    account = account or read_account(user, registry_alias())
    changed_at = account.password_changed_at
    if changed_at is not None and authenticated_at < changed_at:
        return Reason.PASSWORD_CHANGED
    return Reason.CREDENTIALS_CHANGED


def note_password_changed(user: AbstractBaseUser) -> None:
    """
    Record that the password of ``user`` has just been changed. Sessions that are older
    than that end for this reason.
    """

    def write(using: str) -> None:
        lock_account(user.pk, using, password_changed_at=timezone.now())

    in_one_statement(write)


def renew_credentials(row: Row, session_hash: str) -> None:
    """
    Record that the session with this ``row`` goes by the credentials that this hash is
    of, which the account was given after the sign-in: a changed password does not end
    it.
    """
    account = AccountLimit.objects.filter(pk=OuterRef("user_id"))
    changed_at = Subquery(account.values("password_changed_at"))
    own = F("authenticated_at")
    UserSession.objects.primary().live_with_id(row.id).update(
        credentials=digest(session_hash),
        authenticated_at=Greatest(own, Coalesce(changed_at, own)),
    )
