"""
Ending sessions: one function on every path. The row and the stored session go in one
transaction; the first reason stands; listeners hear after the commit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections
from django.utils import timezone

from session_limit import audit, bus, signals
from session_limit.conf import conf
from session_limit.models import AccountLimit, Play, UserSession
from session_limit.registry.accounts import locked
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.transactions import in_transaction
from session_limit.store import engines
from session_limit.utils.after_commit import after_commit

Reason = UserSession.Reason

ENDINGS = BestEffort("Recording that a session has ended")


def end(
    ids: Iterable[UUID],
    reason: Reason,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """
    End the sessions with these ids, as far as they are live, and return those that
    this call ended. ``by`` is the user who ended them.
    """
    ids = list(ids)
    return _end_matching(reason, by, pk__in=ids) if ids else []


def try_to_end(id: UUID, reason: Reason) -> None:
    """
    End the session with this id, which the caller treats as ended in any case. If the
    database does not take the write at once, whatever meets the session next tries
    again.
    """
    ENDINGS.attempt(functools.partial(end, [id], reason))


def end_all(
    user: AbstractBaseUser,
    reason: Reason,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """End every live session of ``user`` and return them."""
    return _end_matching(reason, by, user_id=user.pk)


def end_others(
    user: AbstractBaseUser,
    keep: UUID,
    reason: Reason,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """End every live session of ``user`` but the one with the id ``keep``."""
    return _end_matching(reason, by, user_id=user.pk, others_than=keep)


def end_account(user: AbstractBaseUser) -> None:
    """End every session of a ``user`` who is about to be deleted."""

    def work(using: str) -> None:
        # Whoever signs in holds these, and wants the session rows next.
        # Not more than that: a row that refers to the user may be on its way in.
        no_key = connections[using].features.has_select_for_no_key_update
        users = type(user)._base_manager.using(using).filter(pk=user.pk)
        users.select_for_update(no_key=no_key).values_list("pk").first()
        accounts = AccountLimit.objects.using(using).filter(pk=user.pk)
        accounts.update(locked_at=timezone.now())
        rows = UserSession.objects.using(using).live().for_user(user)
        end_locked(locked(rows), Reason.ACCOUNT_DISABLED, using)
        if conf.uses_plays():
            Play.objects.using(using).filter(user_id=user.pk).delete()

    in_transaction(work)


def _end_matching(
    reason: Reason,
    by: AbstractBaseUser | None,
    *,
    others_than: UUID | None = None,
    **lookup: Any,
) -> list[UserSession]:
    def work(using: str) -> list[UserSession]:
        rows = UserSession.objects.using(using).live().filter(**lookup)
        if others_than is not None:
            rows = rows.exclude(pk=others_than)
        found = locked(rows)
        end_locked(found, reason, using, by=by)
        return found

    return in_transaction(work)


def end_locked(
    rows: Sequence[UserSession],
    reason: Reason,
    using: str,
    *,
    by: AbstractBaseUser | None = None,
    by_session: UUID | None = None,
) -> None:
    """End ``rows``, read live and locked in the current transaction on ``using``."""
    if not rows:
        return
    keys = [row.session_key for row in rows if row.session_key]
    changes = _changes(reason, by, by_session)
    for row in rows:
        for name, value in changes.items():
            setattr(row, name, value)
    UserSession.objects.using(using).filter(pk__in=[row.pk for row in rows]).update(
        **changes
    )
    engines.delete(keys, using)
    announce(rows, using)


def end_row(id: UUID, reason: Reason) -> bool:
    """
    End the session with this id and leave what is stored to the caller, who is
    about to delete it. Return whether it was live.
    """

    def work(using: str) -> bool:
        rows = UserSession.objects.using(using).live_with_id(id)
        was_live = rows.update(**_changes(reason)) > 0
        if was_live:
            after_commit(using, _announce_by_id, id, using)
        return was_live

    return in_transaction(work)


def _changes(
    reason: Reason,
    by: AbstractBaseUser | None = None,
    by_session: UUID | None = None,
) -> dict[str, Any]:
    return {
        "ended_at": timezone.now(),
        "ended_reason": reason,
        "ended_by": "" if by is None else str(by.pk),
        "ended_by_session": by_session,
        "session_key": None,
    }


def _announce_by_id(id: UUID, using: str) -> None:
    row = UserSession.objects.using(using).filter(pk=id).first()
    if row is not None:
        _tell_ended([row])


def announce(rows: Sequence[UserSession], using: str) -> None:
    """Tell of the end of ``rows`` once the current transaction has committed."""
    after_commit(using, _tell_ended, rows)


def _tell_ended(rows: Sequence[UserSession]) -> None:
    bus.publish([row.pk for row in rows])
    for row in rows:
        audit.ended(row)
        signals.session_ended.send_robust(
            sender=UserSession,
            session=row,
            reason=Reason(row.ended_reason),
            by=row.ended_by,
            by_session=row.ended_by_session,
        )
