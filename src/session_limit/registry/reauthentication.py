"""Record re-authentication and new credentials in live sessions."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase

from session_limit import audit
from session_limit.models import UserSession
from session_limit.registry.accounts import lock_account
from session_limit.registry.activity import deadline
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.connected import end_left_behind
from session_limit.registry.credentials import hash_is_valid, renew_credentials
from session_limit.registry.transactions import transactional
from session_limit.store import engines
from session_limit.store.liveness import Row
from session_limit.utils.after_commit import after_commit
from session_limit.utils.clock import utc_now

# The writes wait for a lock, because no later request repeats them.
CREDENTIALS = BestEffort("Recording new credentials", patience=timedelta(seconds=2))


def reauthenticated(id: UUID, session: SessionBase, user: AbstractBaseUser) -> bool:
    """
    Record that ``user`` has just re-authenticated in ``session``.

    ``id`` is the id of the session's row. The idle timeout and the absolute timeout
    start again. Return whether the session is still live. If so, the caller must give
    the session a new key, with ``update_session_auth_hash()`` or ``cycle_key()``.
    """
    now = utc_now()
    expires_at, expires_reason = deadline(
        user,
        engines.expiry_of(session, now),
        active_at=now,
        authenticated_at=now,
    )

    changes = {
        "authenticated_at": now,
        "last_active_at": now,
        "expires_at": expires_at,
        "expires_reason": expires_reason,
    }
    return _record(id, user, changes)


@transactional
def _record(
    using: str, id: UUID, user: AbstractBaseUser, changes: dict[str, Any]
) -> bool:
    # Without this lock, two sessions that end each other in transactions of the project
    # would deadlock, because each would hold the row that the other needs.
    lock_account(user.pk, using)
    rows = UserSession.objects.using(using).live_with_id(id).for_user(user)
    is_live = rows.update(**changes) > 0
    if is_live:
        after_commit(using, audit.renewed, user.pk, id)
    return is_live


def renewed(row: Row, user: AbstractBaseUser, former_hash: str, new_hash: str) -> None:
    """
    Record a session's new credentials, and end sessions with the old credentials.

    ``former_hash`` and ``new_hash`` are Django's session hashes before and after the
    change. The other sessions end here, because their open pages and WebSockets may
    send no further request. Writes that the database refuses are skipped.
    """
    CREDENTIALS.attempt(functools.partial(renew_credentials, row, new_hash))

    def end_others() -> None:
        # This is part of the attempt because reading the user may fail too. After a
        # change of SECRET_KEY the former hash is still valid; after another change of
        # password the new hash is not.
        if hash_is_valid(new_hash, user) and not hash_is_valid(former_hash, user):
            end_left_behind(row, user)

    CREDENTIALS.attempt(end_others)
