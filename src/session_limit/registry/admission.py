"""Admit or refuse sign-ins, and signed-in sessions that have no database row yet."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser

from session_limit import policy
from session_limit.conf import conf
from session_limit.models import EndReason, PendingSignIn, UserSession, uuid7
from session_limit.policy import AtLimit, Decision, LiveSession
from session_limit.registry import announcements, not_counting
from session_limit.registry.accounts import live_rows, lock_account
from session_limit.registry.ending import end_locked, ending
from session_limit.registry.enforcement import chosen
from session_limit.registry.limits import at_limit_for, limit_for
from session_limit.registry.outcomes import Admission
from session_limit.registry.pending import Choice, Rivals
from session_limit.registry.sign_ins import (
    SignIn,
    enter,
    giving_notice,
    own_row,
    record,
)
from session_limit.registry.transactions import locking, make_durable
from session_limit.store import engines
from session_limit.store.liveness import Row
from session_limit.utils.after_commit import after_commit
from session_limit.utils.sql import Statement


@locking
def admit(using: str, sign_in: SignIn) -> Admission:
    """
    Admit or refuse a sign-in under the account's limit, and return the outcome.

    The session data must already name the user. After an admission, the data contains
    the id of the session's ``UserSession`` row and is stored under a key. A second
    sign-in in the same browser does not count as a second session. If the user chose
    which sessions to end, an admission uses up that choice. If the project's ``Rules``
    raise an exception, the exception propagates and nothing changes.
    """
    # A second attempt starts like the first, which the database has rolled back.
    sign_in.session._session_key = sign_in.key
    user, own_id = sign_in.user, sign_in.own_id
    limit = None
    if sign_in.exempt and sign_in.choice is None:
        make_durable(using)
    else:
        account = lock_account(user.pk, using)
        limit = None if sign_in.exempt else limit_for(user, sign_in.scope, account)
    if sign_in.choice is not None and not _is_waiting(sign_in.choice.pending, using):
        return Admission(None, sign_in.scope, limit, AtLimit.ASK, is_too_late=True)
    if limit is None and sign_in.choice is None:
        own, id = own_row(sign_in, using), uuid7()
        writes: list[Statement] = []
        if own is None and (sign_in.is_new_browser or sign_in.former_browsers):
            live = live_rows(user, using)
            former = not_counting.former_places(
                live, sign_in.former_browsers, sign_in.scope
            )
            sign_in, writes = _prepare_new(sign_in, live, former, using, id)
        return Admission(enter(sign_in, own, using, id, writes), sign_in.scope)

    live = not_counting.end_due(live_rows(user, using), sign_in.now, using)
    live = not_counting.end_same_browser(live, sign_in.presented_key, own_id, using)
    own = next((row for row in live if row.pk == own_id), None)
    # The scope of a session is fixed at its first sign-in.
    scope = sign_in.scope if own is None else own.scope
    at_limit = at_limit_for(user, scope)
    decide = _decide_by(limit, at_limit, sign_in.choice if own is None else None)
    former = []
    if own is None:
        former = not_counting.former_places(live, sign_in.former_browsers, scope)
    others = [row for row in live if row is not own and row not in former]
    rivals = [row for row in others if row.takes_place_in(scope)]
    decision = decide([row.facts() for row in rivals])
    if decision.ended or (own is None and decision.exceeded):
        rivals = not_counting.usable(rivals, user, account, limit, using)
        decision = decide([row.facts() for row in rivals])
    if own is None and not decision.admitted:
        return Admission(None, scope, limit, at_limit, Rivals.of(rivals))

    id = uuid7() if own is None else own.pk
    leaving = chosen(rivals, decision.ended)
    writes = ending(leaving, EndReason.DISPLACED, using, by_session=id)
    if own is None:
        sign_in, more = _prepare_new(sign_in, live, former, using, id)
        writes += more
    row = enter(sign_in, own, using, id, writes)
    admission = Admission(row, scope, limit, at_limit)
    if decision.exceeded and own is None:
        after_commit(using, announcements.limit_reached, user, admission)
    return admission


def _prepare_new(
    sign_in: SignIn,
    live: list[UserSession],
    former: list[UserSession],
    using: str,
    id: UUID,
) -> tuple[SignIn, list[Statement]]:
    """
    End the earlier sessions of the browser that gets a new session with this ``id``.

    ``former`` are those sessions. If there are none and the browser is new, give the
    sessions in ``live`` a notice. The caller must have locked all of these sessions.
    Return the facts of the sign-in, in which a browser with an earlier session is not
    new, and the statements to execute.
    """
    if former:
        ended = ending(former, EndReason.SIGNED_OUT, using, by_session=id)
        return replace(sign_in, is_new_browser=False), ended
    return sign_in, giving_notice(id, live, using) if sign_in.is_new_browser else []


@locking
def adopt(using: str, sign_in: SignIn) -> Row | None:
    """
    Admit a signed-in session that has no database row yet, and return its new row.

    Such a session began before this package was installed, or in code that sets
    Django's session keys itself. The session counts as the oldest in its scope (the
    sessions that one limit covers). If the limit leaves no room, the session ends with
    the reason "displaced". Parallel first requests of one browser get the same row.
    Return ``None`` if the session is not admitted.
    """
    user, session, scope = sign_in.user, sign_in.session, sign_in.scope
    account = lock_account(user.pk, using)
    known = (
        UserSession.objects.using(using)
        .filter(key_digest__in=engines.digests(sign_in.key or ""))
        .select_for_update()
        .order_by("-pk")
        .first()
    )
    if known is not None and known.user_id == user.pk:
        session[engines.ID] = known.pk.hex
        return Row.of(known) if known.is_live else None
    if known is not None and known.is_live:
        # This browser's session from before other code signed in this user here.
        end_locked([known], EndReason.SIGNED_OUT, using)
    limit = None if sign_in.exempt else limit_for(user, scope, account)
    at_limit = at_limit_for(user, scope)
    live = not_counting.end_due(live_rows(user, using), sign_in.now, using)
    rivals = [row for row in live if row.takes_place_in(scope)]
    decide = functools.partial(policy.decide_adoption, limit=limit, at_limit=at_limit)
    decision = decide([row.facts() for row in rivals])
    if decision.exceeded:
        rivals = not_counting.usable(rivals, user, account, limit, using)
        decision = decide([row.facts() for row in rivals])
    signed_at = engines.signed_at(session)
    is_copy = signed_at is not None and _has_ended_since(user, signed_at, using)
    entered = record(sign_in, uuid7(), using)
    if is_copy or not decision.admitted:
        reason = EndReason.EXPIRED if decision.admitted else EndReason.DISPLACED
        end_locked([entered], reason, using)
        return None
    row = Row.of(entered)
    if decision.exceeded:
        admission = Admission(row, scope, limit, at_limit)
        after_commit(using, announcements.limit_reached, user, admission)
    return row


def _is_waiting(pending: PendingSignIn, using: str) -> bool:
    """Return whether a ``pending`` sign-in was neither completed nor cancelled."""
    # The read takes a lock, because a snapshot from before the account's lock was
    # granted would still contain the row.
    rows = PendingSignIn.objects.using(using).filter(pk=pending.pk)
    return rows.select_for_update().first() is not None


def _decide_by(
    limit: int | None, at_limit: AtLimit, choice: Choice | None
) -> Callable[[Sequence[LiveSession]], Decision]:
    """
    Return a function that decides whether to admit a sign-in.

    The function applies the user's ``choice`` of sessions to end. Without a choice, the
    function applies ``at_limit`` (how to handle a sign-in beyond the limit).
    """
    if choice is not None:
        return functools.partial(
            policy.decide_choice, limit=limit, chosen=choice.chosen
        )
    return functools.partial(
        policy.decide, limit=limit, at_limit=at_limit, displace=conf.displace
    )


def _has_ended_since(user: AbstractBaseUser, signed_at: datetime, using: str) -> bool:
    """Return whether a session of ``user`` ended at or after ``signed_at``."""
    # A cookie that was signed at that time may be a copy of the ended session's cookie,
    # which the client kept from before the adoption. The two cannot be told apart.
    ended = UserSession.objects.using(using).for_user(user)
    return ended.filter(ended_at__gte=signed_at).exists()
