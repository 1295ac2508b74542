"""Verify and record the credentials of sessions."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.db import router
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.utils.crypto import constant_time_compare

from session_limit.models import (
    AccountLimit,
    EndReason,
    PendingSignIn,
    UserSession,
    parse_uuid,
    registry_alias,
)
from session_limit.registry.accounts import lock_account
from session_limit.registry.limits import read_account
from session_limit.registry.transactions import one_statement
from session_limit.store import engines, queries
from session_limit.store.liveness import Row
from session_limit.store.users import session_hashes, user_of
from session_limit.utils.clock import utc_now


def hash_is_valid(session_hash: str, user: AbstractBaseUser) -> bool:
    """Return whether ``auth.get_user()`` would accept ``session_hash`` for ``user``."""
    valid = session_hashes(user)
    return valid is None or any(
        constant_time_compare(session_hash, each) for each in valid
    )


def verify(session: SessionBase) -> UserSession | None:
    """
    Return the ``UserSession`` row of ``session`` if the session is live, or ``None``.

    ``None`` means that the session is anonymous, has ended or expired, or has old
    credentials. Call this function for a session that the middleware has not verified,
    as in a Channels consumer (``scope["session"]``), a management command, or after
    ``SessionStore(session_key)``. The check runs two indexed queries after loading the
    session. The session may end right after the check, so repeat the check whenever the
    result matters, such as before each message.
    """
    id = parse_uuid(session.get(engines.ID))
    rows = UserSession.objects.primary().live()
    found = rows.filter(pk=id).first() if id is not None else None
    if found is None:
        return None

    def check_credentials() -> EndReason | None:
        user, session_hash = user_of(session), session.get(HASH_SESSION_KEY, "")
        is_valid = user is not None and hash_is_valid(session_hash, user)
        return None if is_valid else EndReason.CREDENTIALS_CHANGED

    reason = Row.of(found).why_not_live(
        utc_now(),
        user_id=session.get(SESSION_KEY),
        check_credentials=check_credentials,
    )
    return found if reason is None else None


async def averify(session: SessionBase) -> UserSession | None:
    """Asynchronous version of ``verify()``."""
    return await sync_to_async(verify)(session)


def digest(session_hash: str | None) -> str:
    """Return the digest of ``session_hash`` to store, or ``""`` without a hash."""
    if not session_hash:
        return ""
    return hashlib.sha256(session_hash.encode()).hexdigest()[:32]


def is_recorded_of(row: UserSession | PendingSignIn, user: AbstractBaseUser) -> bool:
    """Return whether the credentials in ``row``, if any, are valid for ``user``."""
    valid = session_hashes(user)
    return valid is None or not row.credentials or row.credentials in map(digest, valid)


def has_credentials(id: UUID, session_hash: str) -> bool:
    """
    Return whether ``session_hash`` matches the recorded credentials of a session.

    ``id`` is the session's id. This function reads the row again, which may have
    changed since the session was loaded. Without a match, the session data is an old
    copy. Only the copy must be discarded, and the session continues.
    """
    row = queries.read(id)
    return row is not None and row.has_credentials(digest(session_hash))


def credentials_reason(
    authenticated_at: datetime,
    user: AbstractBaseUser,
    account: AccountLimit | None = None,
) -> EndReason:
    """
    Return why credentials entered at ``authenticated_at`` are no longer valid.

    The result is ``PASSWORD_CHANGED`` only if a password change was recorded later. An
    upgraded password hash or a new ``SECRET_KEY`` also invalidates credentials.
    """
    account = account or read_account(user, registry_alias())
    changed_at = account.password_changed_at
    if changed_at is not None and authenticated_at < changed_at:
        return EndReason.PASSWORD_CHANGED
    return EndReason.CREDENTIALS_CHANGED


@one_statement
def note_password_changed(using: str, user: AbstractBaseUser) -> None:
    """
    Record that the password of ``user`` has just been changed.

    Sessions that began with the old password then end with ``PASSWORD_CHANGED``.
    """
    lock_account(user.pk, using, password_changed_at=utc_now())


@one_statement
def restore_last_login(using: str, user: Any, at: datetime | None) -> None:
    """
    Restore the ``last_login`` of ``user`` to ``at`` after a refused sign-in.

    Links for a password reset, which depend on the value, stay valid. The value in the
    database is not restored if another sign-in has changed it in the meantime.
    """
    written, model = user.last_login, get_user_model()
    if written is not None and written != at:
        # The users may be in another database than the sessions.
        rows = model._base_manager.using(router.db_for_write(model, instance=user))
        rows.filter(pk=user.pk, last_login=written).update(last_login=at)
    user.last_login = at


def renew_credentials(row: Row, session_hash: str) -> None:
    """
    Record ``session_hash`` as the new credentials of the session in ``row``.

    An earlier password change then no longer ends the session.
    """
    account = AccountLimit.objects.filter(pk=OuterRef("user_id"))
    changed_at = Subquery(account.values("password_changed_at"))
    own = F("authenticated_at")
    UserSession.objects.primary().live_with_id(row.id).update(
        credentials=digest(session_hash),
        authenticated_at=Greatest(own, Coalesce(changed_at, own)),
    )
