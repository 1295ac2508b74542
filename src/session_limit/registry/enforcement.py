"""End the sessions and playbacks of an account that exceed its limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

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
from session_limit.registry.transactions import locking
from session_limit.utils.after_commit import after_commit
from session_limit.utils.clock import utc_now

Counted = TypeVar("Counted", UserSession, Play)


@locking
def enforce(using: str, user: AbstractBaseUser) -> list[UserSession]:
    """
    End the live sessions of ``user`` that exceed the limit, and return their rows.

    Call this function after the limit was lowered, for example by a change of plan.
    ``SESSION_LIMIT_DISPLACE`` determines which sessions end, but ``"all"`` is treated
    as ``"least_recent"``. If ``SESSION_LIMIT_PLAYS`` is set, playbacks that exceed
    their own limit end too. Raises ``ImproperlyConfigured`` if the project's ``Rules``
    return an invalid limit.
    """
    return _enforce(user, lock_account(user.pk, using), using)


@locking
def set_limit(
    using: str,
    user: AbstractBaseUser,
    limit: int | None,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """
    Set the session limit of ``user``, and end the sessions that exceed the limit.

    The limit applies in every scope (group of sessions that are counted together).
    ``None`` restores the project's limit. ``by`` is the user who changes the limit.
    Return the rows of the ended sessions, as ``enforce()`` does. Raises ``ValueError``
    if ``limit`` is neither ``None`` nor a positive integer.
    """
    if not is_limit(limit):
        raise ValueError(NO_LIMIT.format(limit))
    account = lock_account(user.pk, using)
    was, account.limit = account.limit, limit
    if was != limit:
        account.save(using=using, update_fields=["limit"])
        after_commit(using, audit.limit_changed, user.pk, was, limit, by)
    return _enforce(user, account, using, by=by)


@locking
def enforce_plays(using: str, user: AbstractBaseUser) -> list[Play]:
    """
    End the oldest playbacks of ``user`` beyond the limit, and return their rows.

    Raises ``ImproperlyConfigured`` if the project's ``Rules`` return an invalid limit.
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
    """
    End the sessions and playbacks of ``user`` that exceed their limits.

    Return the rows of the ended sessions. The caller must have locked ``account``.
    """
    live = not_counting.end_due(live_rows(user, using), utc_now(), using)
    ended = _excess(
        [row for row in live if row.counted],
        lambda scope: limit_for(user, scope, account),
        conf.displace,
        lambda rows, limit: not_counting.usable(rows, user, account, limit, using),
    )
    end_locked(ended, EndReason.LIMIT_LOWERED, using, by=by)
    if conf.uses_plays():
        _enforce_plays(user, using)
    return ended


def _enforce_plays(user: AbstractBaseUser, using: str) -> list[Play]:
    """End and return the oldest playbacks of ``user`` beyond the limit."""
    # The caller must hold the lock on the account's row.
    counting = lock_counting_plays(user.pk, using)
    ended = _excess(counting, partial(play_limit_of, user), Displace.OLDEST)
    end_plays(ended, PlayEndReason.LIMIT_LOWERED, using)
    return ended


def _excess(
    rows: Iterable[Counted],
    limit_of: Callable[[str], int | None],
    displace: Displace,
    usable: Callable[[list[Counted], int], list[Counted]] = lambda rows, _: rows,
) -> list[Counted]:
    """
    Return the sessions or playbacks that exceed the limit of their scope.

    ``usable`` takes the rows of a scope that exceed its limit, and returns those that
    still count.
    """
    by_scope: dict[str, list[Counted]] = defaultdict(list)
    for row in rows:
        by_scope[row.scope].append(row)
    ended: list[Counted] = []
    for scope, all_rows in by_scope.items():
        limit = limit_of(scope)
        group = all_rows
        if limit is not None and len(all_rows) > limit:
            group = usable(all_rows, limit)
        facts = [row.facts() for row in group]
        ended += chosen(group, policy.excess(facts, limit=limit, displace=displace))
    return ended


def chosen(rows: Sequence[Counted], ids: Iterable[UUID]) -> list[Counted]:
    """Return the rows with the given ``ids``, in the order of ``rows``."""
    wanted = frozenset(ids)
    return [row for row in rows if row.pk in wanted]
