"""Bring an account down to its limits, of sessions and of plays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone

from session_limit import audit, policy
from session_limit.conf import conf
from session_limit.models import (
    AccountLimit,
    EndReason,
    Play,
    PlayEndReason,
    UserSession,
)
from session_limit.policy import Displace
from session_limit.registry import not_counting
from session_limit.registry.accounts import live_rows, lock_account
from session_limit.registry.ending import end_locked
from session_limit.registry.leases import end_plays, lock_counting_plays
from session_limit.registry.limits import NO_LIMIT, is_limit, limit_for, play_limit_of
from session_limit.registry.transactions import transactional
from session_limit.utils.after_commit import after_commit

Counted = TypeVar("Counted", UserSession, Play)


@transactional
def enforce(using: str, user: AbstractBaseUser) -> list[UserSession]:
    """
    End the sessions of ``user`` beyond the limit now, for example after a downgrade of
    their plan, and return their rows.

    ``SESSION_LIMIT_DISPLACE`` chooses which sessions end; ``"all"`` counts as
    ``"least_recent"`` here. If the project uses plays, those beyond their limit end
    too. Raises ``ImproperlyConfigured`` if the rules return no valid limit.
    """
    return _enforce(user, lock_account(user.pk, using), using)


@transactional
def set_limit(
    using: str,
    user: AbstractBaseUser,
    limit: int | None,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """
    Give ``user`` a ``limit`` of their own in every scope, or with ``None`` the
    project's limit again, and bring them down to it as ``enforce()`` does.

    ``by`` is the user who changes the limit. Return the rows of the sessions that
    ended. Raises ``ValueError`` if ``limit`` is neither ``None`` nor a whole number
    from 1.
    """
    if not is_limit(limit):
        raise ValueError(NO_LIMIT.format(limit))
    account = lock_account(user.pk, using)
    was, account.limit = account.limit, limit
    if was != limit:
        account.save(using=using, update_fields=["limit"])
        after_commit(using, audit.limit_changed, user.pk, was, limit, by)
    return _enforce(user, account, using, by=by)


@transactional
def enforce_plays(using: str, user: AbstractBaseUser) -> list[Play]:
    """
    End the plays of ``user`` beyond the limit now, the oldest first, and return their
    rows. Raises ``ImproperlyConfigured`` if the rules return no valid limit.
    """
    lock_account(user.pk, using)
    return _enforce_plays(user, using)


def _enforce(
    user: AbstractBaseUser,
    account: AccountLimit,
    using: str,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """Bring ``user``, whose ``account`` is locked, down to the limit."""
    live = not_counting.end_due(live_rows(user, using), timezone.now(), using)
    ended = _excess(
        [row for row in live if row.counted],
        lambda scope: limit_for(user, scope, account),
        conf.displace,
    )
    end_locked(ended, EndReason.LIMIT_LOWERED, using, by=by)
    if conf.uses_plays():
        _enforce_plays(user, using)
    return ended


def _enforce_plays(user: AbstractBaseUser, using: str) -> list[Play]:
    """Bring the plays of ``user``, whose account is locked, down to the limit."""
    counting = lock_counting_plays(user.pk, using)
    ended = _excess(counting, partial(play_limit_of, user), Displace.OLDEST)
    end_plays(ended, PlayEndReason.LIMIT_LOWERED, using)
    return ended


def _excess(
    rows: Iterable[Counted], limit_of: Callable[[str], int | None], displace: Displace
) -> list[Counted]:
    """Return the ``rows`` beyond the limit of their scope."""
    by_scope: dict[str, list[Counted]] = defaultdict(list)
    for row in rows:
        by_scope[row.scope].append(row)
    ended: list[Counted] = []
    for scope, group in by_scope.items():
        facts = [row.facts() for row in group]
        limit = limit_of(scope)
        ended += chosen(group, policy.excess(facts, limit=limit, displace=displace))
    return ended


def chosen(rows: Sequence[Counted], ids: Iterable[UUID]) -> list[Counted]:
    """Return the ``rows`` with these ``ids``, in the order of the rows."""
    wanted = frozenset(ids)
    return [row for row in rows if row.pk in wanted]
