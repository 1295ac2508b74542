"""Bring accounts down to their limits."""

from __future__ import annotations

from collections import defaultdict

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone

from session_limit import audit, policy
from session_limit.conf import conf
from session_limit.models import (
    AccountLimit,
    Play,
    UserSession,
)
from session_limit.policy import Displace
from session_limit.registry import not_counting
from session_limit.registry.accounts import live_rows, lock_account
from session_limit.registry.ending import end_locked
from session_limit.registry.leases import end_plays, lock_counting_plays
from session_limit.registry.limits import (
    NO_LIMIT,
    is_limit,
    limit_for,
)
from session_limit.registry.plays import play_limit_of
from session_limit.registry.transactions import in_transaction
from session_limit.utils.after_commit import after_commit


def enforce(user: AbstractBaseUser) -> list[UserSession]:
    """
    Bring ``user`` down to the limit now, after a plan downgrade say, and return the
    sessions that were ended for it. What ``SESSION_LIMIT_DISPLACE`` would displace
    first goes first; ``"all"`` counts as least recent. What the account plays comes
    down to its limit too.
    """

    def work(using: str) -> list[UserSession]:
        return _enforce(user, lock_account(user.pk, using), using)

    return in_transaction(work)


def set_limit(
    user: AbstractBaseUser, limit: int | None, *, by: AbstractBaseUser | None = None
) -> list[UserSession]:
    """
    Give ``user`` a limit of their own, in every scope, or with ``None`` the project's
    again, and bring them down to it: see ``enforce()``. ``by`` is the user who gave
    it. Raises ``ValueError`` for what is no limit.
    """
    if not is_limit(limit):
        raise ValueError(NO_LIMIT.format(limit))

    def work(using: str) -> list[UserSession]:
        account = lock_account(user.pk, using)
        was, account.limit = account.limit, limit
        if was != limit:
            account.save(using=using, update_fields=["limit"])
            after_commit(using, audit.limit_changed, user.pk, was, limit, by)
        return _enforce(user, account, using, by=by)

    return in_transaction(work)


def _enforce(
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """Bring ``user``, whose ``account`` is locked, down to the limit."""
    live = not_counting.end_due(live_rows(user, using), timezone.now(), using)
    by_scope: dict[str, list[UserSession]] = defaultdict(list)
    for row in live:
        if row.counted:
            by_scope[row.scope].append(row)
    ended = []
    for scope, rows in by_scope.items():
        leaving = frozenset(
            policy.excess(
                [row.facts() for row in rows],
                limit=limit_for(user, scope, account),
                displace=conf.displace,
            )
        )
        ended += [row for row in rows if row.pk in leaving]
    end_locked(ended, UserSession.Reason.LIMIT_LOWERED, using, by=by)
    if conf.uses_plays():
        enforce_plays_locked(user, using)
    return ended


def enforce_plays(user: AbstractBaseUser) -> list[Play]:
    """
    Bring what ``user`` plays down to the limit now, the oldest first, and return what
    was ended for it.
    """

    def work(using: str) -> list[Play]:
        lock_account(user.pk, using)
        return enforce_plays_locked(user, using)

    return in_transaction(work)


def enforce_plays_locked(user: AbstractBaseUser, using: str) -> list[Play]:
    """See ``enforce_plays()``: the account of ``user`` is locked."""
    by_scope: dict[str, list[Play]] = defaultdict(list)
    for row in lock_counting_plays(user.pk, using):
        by_scope[row.scope].append(row)
    ended: list[Play] = []
    for scope, rows in by_scope.items():
        leaving = frozenset(
            policy.excess(
                [row.facts() for row in rows],
                limit=play_limit_of(user, scope),
                displace=Displace.OLDEST,
            )
        )
        ended += [row for row in rows if row.pk in leaving]
    end_plays(ended, Play.Reason.LIMIT_LOWERED, using)
    return ended
