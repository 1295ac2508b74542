"""Record credentials that are given again, or change, in a session that goes on."""

from __future__ import annotations

import functools
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from session_limit import audit
from session_limit.models import UserSession
from session_limit.registry.accounts import lock_account
from session_limit.registry.activity import deadline
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.connected import end_left_behind
from session_limit.registry.credentials import hash_is_valid, renew_credentials
from session_limit.registry.transactions import in_transaction
from session_limit.store.queries import Row
from session_limit.utils.after_commit import after_commit

CREDENTIALS = BestEffort("Recording new credentials", patience=timedelta(seconds=2))


def reauthenticated(id: UUID, session: SessionBase, user: AbstractBaseUser) -> bool:
    """
    Record that ``user`` has just given credentials again in their live ``session``,
    whose id this is: both timeouts begin anew. Return whether it is live still. Give
    the session another key then, with ``update_session_auth_hash()`` or
    ``cycle_key()``.
    """
    now = timezone.now()
    expires_at, expires_reason = deadline(
        user,
        session.get_expiry_date(modification=now),
        active_at=now,
        authenticated_at=now,
    )

    def work(using: str) -> bool:
        # Or, in a transaction of the project's own, two who end each other's session
        # would each hold the row that the other wants.
        lock_account(user.pk, using)
        rows = UserSession.objects.using(using).live_with_id(id).for_user(user)
        is_live = rows.update(
            authenticated_at=now,
            last_active_at=now,
            expires_at=expires_at,
            expires_reason=expires_reason,
        )
        if is_live:
            after_commit(using, audit.renewed, user.pk, id)
        return bool(is_live)

    return in_transaction(work)


def renewed(row: Row, user: AbstractBaseUser, former_hash: str, new_hash: str) -> None:
    """
    Record that the session with this ``row``, which was loaded with ``former_hash``,
    has been stored with ``new_hash``. After a change of password, end the others now,
    so that their open pages and sockets close without a request of their own.

    If the database does not take the writes, they are skipped. They wait for a lock for
    a short time, because no later request repeats them.
    """
    CREDENTIALS.attempt(functools.partial(renew_credentials, row, new_hash))

    def end_others() -> None:
        # Reads the user, which may fail too. Under a new SECRET_KEY the former hash
        # verifies as well; another change may have come after this one.
        if hash_is_valid(new_hash, user) and not hash_is_valid(former_hash, user):
            end_left_behind(row, user)

    CREDENTIALS.attempt(end_others)
