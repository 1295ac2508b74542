"""
End sessions in the database, and announce their end after the commit.

A session that has already ended keeps its first reason.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections
from django.db.models import Q

from session_limit.conf import conf
from session_limit.models import AccountLimit, EndReason, Play, UserSession
from session_limit.registry import announcements
from session_limit.registry.accounts import locked
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.transactions import transactional
from session_limit.store import engines
from session_limit.utils import sql
from session_limit.utils.after_commit import after_commit
from session_limit.utils.clock import utc_now

ENDINGS = BestEffort("Recording that a session has ended")


def end(
    ids: Iterable[UUID], reason: EndReason, *, by: AbstractBaseUser | None = None
) -> list[UserSession]:
    """
    End the live sessions with these ``ids``, and return their database rows.

    ``by`` is the user who ends the sessions. A session that has already ended keeps its
    first reason and is not returned. Raises ``TypeError`` if ``ids`` contains anything
    but ids, or is a single id.
    """
    ids = as_ids(ids, "end")
    return _end_matching(Q(pk__in=ids), reason, by) if ids else []


def as_ids(ids: Iterable[UUID], function: str) -> list[UUID]:
    """
    Return ``ids`` as a list, or raise ``TypeError`` if they are not ids of sessions.

    ``function`` is the name of the function that received ``ids``.
    """
    given: Any = ids
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        listed = list(given)
        # Django converts the text of a UUID.
        others = [each for each in listed if not isinstance(each, UUID | str)]
        if not others:
            return cast("list[UUID]", listed)
        given = others[0]
    raise TypeError(
        f"registry.{function}() takes ids of sessions, not {type(given).__name__}. "
        "The id of a session is session.pk, as in registry.end([session.pk], reason)."
    )


def end_all(
    user: AbstractBaseUser, reason: EndReason, *, by: AbstractBaseUser | None = None
) -> list[UserSession]:
    """End all live sessions of ``user``, and return their rows as ``end()`` does."""
    return _end_matching(Q(user_id=user.pk), reason, by)


def end_others(
    user: AbstractBaseUser,
    keep: UUID,
    reason: EndReason,
    *,
    by: AbstractBaseUser | None = None,
) -> list[UserSession]:
    """
    End all live sessions of ``user`` except the session with the id ``keep``.

    Return the rows of the ended sessions, as ``end()`` does. Raises ``TypeError`` if
    ``keep`` is not an id.
    """
    [keep] = as_ids([keep], "end_others")
    return _end_matching(Q(user_id=user.pk) & ~Q(pk=keep), reason, by)


@transactional
def _end_matching(
    using: str, condition: Q, reason: EndReason, by: AbstractBaseUser | None
) -> list[UserSession]:
    rows = locked(UserSession.objects.using(using).live().filter(condition))
    end_locked(rows, reason, using, by=by)
    return rows


def try_to_end(id: UUID, reason: EndReason) -> None:
    """
    End the session with this ``id``, unless the database cannot write immediately.

    The caller must treat the session as ended in both cases. If the write is skipped,
    the next request with this session tries again.
    """
    ENDINGS.attempt(functools.partial(end, [id], reason))


@transactional
def end_account(using: str, user: AbstractBaseUser) -> None:
    """End all sessions and delete all playbacks of a user who will be deleted."""
    # A sign-in locks these two rows before the session rows. The user's key stays
    # unlocked, because a transaction may be inserting a row that refers to it.
    no_key = connections[using].features.has_select_for_no_key_update
    users = type(user)._base_manager.using(using).filter(pk=user.pk)
    users.select_for_update(no_key=no_key).values_list("pk").first()
    accounts = AccountLimit.objects.using(using).filter(pk=user.pk)
    accounts.update(locked_at=utc_now())
    rows = UserSession.objects.using(using).live().for_user(user)
    end_locked(locked(rows), EndReason.ACCOUNT_DISABLED, using)
    if conf.uses_plays():
        Play.objects.using(using).filter(user_id=user.pk).delete()


def end_locked(
    rows: Sequence[UserSession],
    reason: EndReason,
    using: str,
    *,
    by: AbstractBaseUser | None = None,
) -> None:
    """
    End the live sessions in ``rows``. The caller must have locked these rows.

    ``using`` is the database alias. ``by`` is the user who ends the sessions.
    """
    sql.execute(using, *ending(rows, reason, using, by=by))


def ending(
    rows: Sequence[UserSession],
    reason: EndReason,
    using: str,
    *,
    by: AbstractBaseUser | None = None,
    by_session: UUID | None = None,
) -> list[sql.Statement]:
    """
    Return the statements that end the live sessions in ``rows`` like ``end_locked()``.

    The caller must execute them in the same transaction. ``by_session`` is the id of
    the session that displaced the sessions.
    """
    if not rows:
        return []
    keys = [row.session_key for row in rows if row.session_key]
    changes = _changes(reason, by, by_session)
    for row in rows:
        for name, value in changes.items():
            setattr(row, name, value)
    after_commit(using, announcements.sessions_ended, rows)
    return [sql.update(rows, changes, using), *engines.deletion(keys, using)]


@transactional
def end_row(using: str, id: UUID, reason: EndReason) -> bool:
    """Mark the session with this ``id`` as ended, and return whether it was live."""
    # The stored session is not deleted, because the caller is about to do that.
    sessions = UserSession.objects.using(using)
    was_live = sessions.live_with_id(id).update(**_changes(reason)) > 0
    if was_live:
        after_commit(using, announcements.sessions_ended, sessions.filter(pk=id))
    return was_live


def _changes(
    reason: EndReason,
    by: AbstractBaseUser | None = None,
    by_session: UUID | None = None,
) -> dict[str, Any]:
    return {
        "ended_at": utc_now(),
        "ended_reason": reason,
        "ended_by": "" if by is None else str(by.pk),
        "ended_by_session": by_session,
        "session_key": None,
        "browser": None,
    }
