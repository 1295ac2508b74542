"""Adopt sessions that were signed in before the registry knew of them."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser

from session_limit import policy
from session_limit.models import EndReason, UserSession, uuid7
from session_limit.registry import announcements, not_counting
from session_limit.registry.accounts import live_rows, lock_account
from session_limit.registry.ending import end_locked
from session_limit.registry.limits import at_limit_for, limit_for
from session_limit.registry.outcomes import Admission
from session_limit.registry.sign_ins import SignIn, record
from session_limit.registry.transactions import transactional
from session_limit.store import engines
from session_limit.store.queries import Row
from session_limit.utils.after_commit import after_commit


@transactional
def adopt(using: str, sign_in: SignIn) -> Row | None:
    """
    Admit the session of ``sign_in``, which is signed in but has no id: from before this
    package was installed, or by code that sets Django's keys itself.

    The session counts as the oldest of its scope. It takes a free place, or ends as
    displaced. Parallel first requests of one browser get the same row. Return the row,
    or ``None`` if the session was not admitted.
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
        # This browser's session, from before other code signed this user in here.
        end_locked([known], EndReason.SIGNED_OUT, using)
    limit = None if sign_in.exempt else limit_for(user, scope, account)
    at_limit = at_limit_for(user, scope)
    live = not_counting.end_due(live_rows(user, using), sign_in.now, using)
    rivals = [row.facts() for row in live if row.takes_place_in(scope)]
    decision = policy.decide_adoption(rivals, limit=limit, at_limit=at_limit)
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


def _has_ended_since(user: AbstractBaseUser, signed_at: datetime, using: str) -> bool:
    """
    Return whether a session of ``user`` has ended since ``signed_at``. A cookie that
    was signed before then may be a copy of that session's, which the client kept from
    before its adoption. The two cannot be told apart.
    """
    ended = UserSession.objects.using(using).for_user(user)
    return ended.filter(ended_at__gte=signed_at).exists()
