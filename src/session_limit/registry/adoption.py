"""Adopting a session that was signed in before anybody recorded it."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from session_limit import policy
from session_limit.models import UserSession, uuid7
from session_limit.registry import not_counting
from session_limit.registry.accounts import live_rows, lock_account
from session_limit.registry.admission import Admission, tell_limit_reached
from session_limit.registry.ending import end_locked
from session_limit.registry.limits import at_limit_for, limit_for
from session_limit.registry.sign_ins import SignIn, record
from session_limit.registry.transactions import in_transaction
from session_limit.store import engines
from session_limit.store.queries import Row

Reason = UserSession.Reason


def adopt(user: AbstractBaseUser, request: HttpRequest) -> Row | None:
    """
    Admit a session that says it is signed in and has no id: signed in before this
    package was installed, or by code that sets the keys by hand.

    It counts as its scope's oldest: it takes a free place, and else ends as
    displaced. Parallel first requests of one browser are given the same row. Returns
    ``None`` where it was not admitted.
    """
    sign_in = SignIn.of(user, request, adopted=True)
    session = sign_in.session
    digests = engines.digests(session.session_key or "")
    signed_at = engines.signed_at(session)

    def work(using: str) -> Row | None:
        account = lock_account(user.pk, using)
        known = (
            UserSession.objects.using(using)
            .filter(key_digest__in=digests)
            .select_for_update()
            .order_by("-pk")
            .first()
        )
        if known is not None and known.user_id == user.pk:
            session[engines.ID] = known.pk.hex
            return Row.of(known) if known.is_live else None
        if known is not None and known.is_live:
            # This browser's, from before other code signed this account in here.
            end_locked([known], Reason.SIGNED_OUT, using)
        limit = None if sign_in.exempt else limit_for(user, sign_in.scope, account)
        at_limit = at_limit_for(user, sign_in.scope)
        live = not_counting.end_due(live_rows(user, using), sign_in.now, using)
        rivals = [row for row in live if row.takes_place_in(sign_in.scope)]
        decision = policy.decide_adoption(
            [row.facts() for row in rivals], limit=limit, at_limit=at_limit
        )
        is_copy = signed_at is not None and _has_ended_since(user, signed_at, using)
        entered = record(sign_in, uuid7(), using)
        if decision.admitted and not is_copy:
            row = Row.of(entered)
            if decision.exceeded:
                admission = Admission(row, sign_in.scope, limit, at_limit)
                tell_limit_reached(user, admission, using)
            return row
        reason = Reason.EXPIRED if decision.admitted else Reason.DISPLACED
        end_locked([entered], reason, using)
        return None

    return in_transaction(work)


def _has_ended_since(user: AbstractBaseUser, signed_at: datetime, using: str) -> bool:
    """
    Whether a session of ``user`` has ended since. A signed cookie from before may be
    that one's, from before it was adopted, and kept by its client: nobody can tell.
    """
    ended = UserSession.objects.using(using).for_user(user)
    return ended.filter(ended_at__gte=signed_at).exists()
