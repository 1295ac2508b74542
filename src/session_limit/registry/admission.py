"""Admitting a sign-in: count, decide, end and record, atomically."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from session_limit import audit, policy, signals
from session_limit.conf import conf
from session_limit.models import PendingSignIn, UserSession, uuid7
from session_limit.policy import AtLimit, Decision, LiveSession
from session_limit.registry import not_counting
from session_limit.registry.accounts import live_rows, lock_account
from session_limit.registry.ending import end_locked
from session_limit.registry.limits import at_limit_for, limit_for
from session_limit.registry.pending import Choice, Rivals
from session_limit.registry.sign_ins import SignIn, enter, give_notice, own_row
from session_limit.registry.transactions import in_transaction
from session_limit.store.queries import Row
from session_limit.utils.after_commit import after_commit

Reason = UserSession.Reason

# How many stored sessions a sign-in at the limit reads in one batch.
READ_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Admission:
    """
    How a sign-in went. ``row`` is its session's, ``None`` where it was refused;
    ``limit`` is that of its ``scope``, and ``rivals`` took its places. ``is_gone``: it
    was refused because the choice that it came with has been used, or withdrawn.
    """

    row: Row | None
    scope: str
    limit: int | None = None
    at_limit: AtLimit | None = None
    rivals: Rivals = Rivals()  # noqa: RUF009 it is frozen
    is_gone: bool = False


def admit(
    user: AbstractBaseUser,
    request: HttpRequest,
    presented_key: str | None = None,
    choice: Choice | None = None,
) -> Admission:
    """
    Admit the sign-in of ``user`` that ``login()`` has just written into
    ``request.session``, or refuse it. ``presented_key`` is the key of the session
    cookie that came with the request; ``choice`` what its person was asked and chose,
    which is used up where it is admitted.

    An admitted session carries the id of its row, and has a key: without one it
    would be stored only with the response, and whoever ended it before then would
    find nothing to delete. Signing in again in the same browser takes no second
    place. Raises what the rules raise, having changed nothing.
    """
    sign_in = SignIn.of(user, request, choice=choice)
    session = sign_in.session
    key = session.session_key

    def work(using: str) -> Admission:
        # A second attempt begins where the first one did: what that stored has
        # been rolled back.
        session._session_key = key
        return _admit(sign_in, presented_key, using)

    return in_transaction(work)


def _admit(sign_in: SignIn, presented_key: str | None, using: str) -> Admission:
    user, now, own_id = sign_in.user, sign_in.now, sign_in.own_id
    limit = None
    if not sign_in.exempt or sign_in.choice is not None:
        account = lock_account(user.pk, using)
        limit = None if sign_in.exempt else limit_for(user, sign_in.scope, account)
    if sign_in.choice is not None and not _is_waiting(sign_in.choice.pending, using):
        return Admission(None, sign_in.scope, limit, AtLimit.ASK, is_gone=True)
    if limit is None and sign_in.choice is None:
        own, id = own_row(sign_in, using), uuid7()
        if own is None and sign_in.is_new_browser:
            give_notice(id, live_rows(user, using), using)
        return Admission(enter(sign_in, own, using, id), sign_in.scope)

    live = not_counting.end_due(live_rows(user, using), now, using)
    live = not_counting.end_same_browser(live, presented_key, own_id, using)
    own = next((row for row in live if row.pk == own_id), None)
    # A scope is fixed at the first sign-in.
    scope = sign_in.scope if own is None else own.scope
    at_limit = at_limit_for(user, scope)
    decide = _decide_by(limit, at_limit, sign_in.choice if own is None else None)
    rivals = [row for row in live if row.takes_place_in(scope) and row is not own]
    decision = decide([row.facts() for row in rivals])
    if own is None and not decision.admitted:
        end_gone = functools.partial(
            not_counting.end_gone, user=user, account=account, using=using
        )
        rivals = _without_gone(rivals, end_gone, limit)
        decision = decide([row.facts() for row in rivals])
        if not decision.admitted:
            return Admission(None, scope, limit, at_limit, Rivals.of(rivals))

    id = uuid7() if own is None else own.pk
    leaving = frozenset(decision.ended)
    end_locked(
        [row for row in rivals if row.pk in leaving],
        Reason.DISPLACED,
        using,
        by_session=id,
    )
    if own is None and sign_in.is_new_browser:
        give_notice(id, live, using)
    row = enter(sign_in, own, using, id)
    admission = Admission(row, scope, limit, at_limit)
    if decision.exceeded and own is None:
        tell_limit_reached(user, admission, using)
    return admission


def _without_gone(
    rivals: list[UserSession],
    end_gone: Callable[[list[UserSession]], list[UserSession]],
    limit: int | None,
) -> list[UserSession]:
    """
    Return ``rivals`` without those that ``end_gone`` ends. It reads the store once for
    each row, so it gets no more rows once the remaining ones take every place.
    """
    remaining: list[UserSession] = []
    enough = limit or 0
    step = max(enough, READ_AT_ONCE)
    for start in range(0, len(rivals), step):
        if len(remaining) >= enough:
            return remaining + rivals[start:]
        remaining += end_gone(rivals[start : start + step])
    return remaining


def _is_waiting(pending: PendingSignIn, using: str) -> bool:
    """
    Whether nobody has used it yet. Read with a lock: in a snapshot from before the
    account's lock was granted it would still be there.
    """
    rows = PendingSignIn.objects.using(using).filter(pk=pending.pk)
    return rows.select_for_update().first() is not None


def _decide_by(
    limit: int | None, at_limit: AtLimit, choice: Choice | None
) -> Callable[[Sequence[LiveSession]], Decision]:
    """Return what decides, given the live sessions: the person asked, or the policy."""
    if choice is not None:
        return functools.partial(
            policy.decide_choice, limit=limit, chosen=choice.chosen
        )
    return functools.partial(
        policy.decide, limit=limit, at_limit=at_limit, displace=conf.displace
    )


def tell_limit_reached(
    user: AbstractBaseUser, admission: Admission, using: str
) -> None:
    """Announce it once the current transaction on ``using`` has committed."""
    after_commit(using, announce_limit_reached, user, admission)


def announce_limit_reached(user: AbstractBaseUser, admission: Admission) -> None:
    """Tell that a sign-in met the limit, and what was done about it."""
    facts: dict[str, Any] = {
        "scope": admission.scope,
        "limit": admission.limit,
        "at_limit": admission.at_limit,
        "session_id": admission.row.id if admission.row is not None else None,
    }
    audit.limit_reached(user.pk, **facts)
    signals.limit_reached.send_robust(sender=UserSession, user=user, **facts)
