"""
Starting plays: what sessions do with guarded content, under a limit of their own and
the same lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef

from session_limit import audit, policy, signals
from session_limit.conf import conf
from session_limit.models import LEASE, DatabaseNow, Play, UserSession, uuid7
from session_limit.policy import AtLimit, Decision, Displace, LiveSession
from session_limit.registry.accounts import lock_account
from session_limit.registry.leases import (
    end_plays,
    lock_counting_plays,
    play_id_of,
    renew,
)
from session_limit.registry.limits import NO_LIMIT, choose, is_limit, storable_scope
from session_limit.registry.transactions import in_transaction
from session_limit.rules import get_rules
from session_limit.utils.after_commit import after_commit

Reason = Play.Reason

# How much one session plays at once, whatever the limit: more than a browser has tabs,
# and an end to what a client leaks that begins to play and never stops.
MAX_OF_SESSION = 100


@dataclass(frozen=True, slots=True)
class PlayStart:
    """
    How a start went. ``play`` is ``None`` where it was refused: ``rivals`` hold the
    places of its ``scope``, of which there are ``limit``; ``retry_after`` is set where
    places have changed hands too often, and says for how long not to ask again; or
    ``is_gone``: its session has ended meanwhile. A play that has ended already is one
    that was started before under the same key.
    """

    play: Play | None
    scope: str
    limit: int | None = None
    at_limit: AtLimit | None = None
    rivals: tuple[Play, ...] = ()
    retry_after: timedelta | None = None
    is_gone: bool = False


def play(
    session: UserSession,
    what: str = "",
    *,
    key: str | None = None,
    swap: UUID | None = None,
    resumes: bool = False,
) -> PlayStart:
    """
    Start to play ``what`` (as the project names it, at most 200 characters) in the live
    ``session``, or refuse it. ``key``, of the caller's choice, makes a retry the same
    start: it names one play of this session, renewed where it is live. ``swap`` is the
    id of the play to end for this one, where ``"ask"`` lets a person choose. What
    ``resumes`` by itself, with nobody's click, takes a free place and displaces nobody.

    Raises ``ImproperlyConfigured`` without ``SESSION_LIMIT_PLAYS`` and for rules that
    answer what cannot be; ``ValueError`` for a ``what`` that is too long.
    """
    if not conf.uses_plays():
        raise ImproperlyConfigured("Set SESSION_LIMIT_PLAYS to use plays.")
    longest = cast("int", Play._meta.get_field("what").max_length)
    if len(what) > longest:
        raise ValueError(f"What is played has a name of at most {longest} characters.")
    user = session.user
    scope = storable_scope(get_rules().play_scope(user, session, what), "play_scope")
    limit, at_limit = play_limit_of(user, scope), _at_limit(user, scope)
    id = uuid7() if key is None else play_id_of(session.pk, key)
    gone = PlayStart(None, scope, is_gone=True)

    def work(using: str) -> PlayStart:
        lock_account(user.pk, using)
        # Locked, or one that ends just now would take a place from a live one.
        sessions = UserSession.objects.using(using).live().filter(pk=session.pk)
        if sessions.select_for_update().first() is None:
            return gone
        open_ = lock_counting_plays(user.pk, using)
        own = None if key is None else _renewed(id, session.pk, using)
        if own is not None:
            return PlayStart(own, own.scope)
        rivals = [row for row in open_ if row.scope == scope]
        decision = _decide(
            [row.facts() for row in rivals],
            limit=limit,
            at_limit=at_limit,
            swap=swap,
            resumes=resumes,
        )
        displaced = frozenset(decision.ended)
        leaving = [row for row in rivals if row.pk in displaced]
        is_asked = not decision.admitted and at_limit is not AtLimit.DENY
        wait = _cooling(session, scope, leaving, using, is_asked=is_asked)
        if not decision.admitted or wait is not None:
            start = PlayStart(None, scope, limit, at_limit, tuple(rivals), wait)
            _tell_limit_reached(user.pk, start, using)
            return start
        leaving += _crowding(session, [row for row in open_ if row.pk not in displaced])
        end_plays(leaving, Reason.DISPLACED, using, by_play=id)
        start = PlayStart(
            _record(id, session, scope, what, using), scope, limit, at_limit
        )
        if decision.exceeded:
            _tell_limit_reached(user.pk, start, using)
        return start

    try:
        return in_transaction(work)
    except IntegrityError:
        if type(user)._base_manager.filter(pk=user.pk).exists():
            raise
        # The account was deleted meanwhile.
        return gone


def _crowding(session: UserSession, staying: Sequence[Play]) -> Sequence[Play]:
    """
    Return which plays of ``session``, of those that are ``staying``, the oldest first,
    would be too many beside another one.
    """
    own = [row for row in staying if row.session_id == session.pk]
    return own[: max(0, len(own) + 1 - MAX_OF_SESSION)]


def _renewed(id: UUID, session_id: UUID, using: str) -> Play | None:
    """Return the play that was started before with this id, renewed if it counts."""
    counts = renew(id, session_id, using)
    row = Play.objects.using(using).filter(pk=id).first()
    if row is not None and row.ended_at is None and not counts:
        end_plays([row], Reason.LAPSED, using)
    return row


def _decide(
    rivals: Sequence[LiveSession],
    *,
    limit: int | None,
    at_limit: AtLimit,
    swap: UUID | None,
    resumes: bool,
) -> Decision:
    if resumes and at_limit is AtLimit.DISPLACE:
        at_limit = AtLimit.DENY
    if at_limit is AtLimit.ASK and swap is not None:
        return policy.decide_swap(rivals, limit=limit, chosen=swap)
    return policy.decide(
        rivals, limit=limit, at_limit=at_limit, displace=Displace.OLDEST
    )


def _record(id: UUID, session: UserSession, scope: str, what: str, using: str) -> Play:
    row = Play(id=id, user_id=session.user_id, session=session, scope=scope, what=what)
    # Its clock is everybody's: which play is the oldest depends on no server's own.
    row.started_at = cast("Any", DatabaseNow())
    row.lease_until = cast("Any", DatabaseNow() + LEASE)
    row.save(using=using, force_insert=True)
    row.refresh_from_db(using=using, fields=["started_at", "lease_until"])
    after_commit(using, _tell_started, row)
    return row


def _cooling(
    session: UserSession,
    scope: str,
    leaving: Sequence[Play],
    using: str,
    *,
    is_asked: bool,
) -> timedelta | None:
    """
    Return for how long no place of ``scope`` may change hands, where one would for
    ``session``, or a person is about to be asked whose.
    """
    takes = is_asked or any(row.session_id != session.pk for row in leaving)
    if not conf.play_cooldown or not takes:
        return None
    again_at = F("ended_at") + conf.play_cooldown
    left = ExpressionWrapper(again_at - DatabaseNow(), output_field=DurationField())
    plays = Play.objects.using(using)
    by = plays.filter(pk=OuterRef("ended_by_play"))
    displaced = plays.filter(
        user_id=session.user_id,
        scope=scope,
        ended_reason=Reason.DISPLACED,
        ended_at__gt=DatabaseNow() - conf.play_cooldown,
    )
    # A page that was loaded again has taken its own place.
    by_others = displaced.exclude(Exists(by.filter(session_id=OuterRef("session_id"))))
    return by_others.order_by("-ended_at").values_list(left, flat=True).first()


def play_limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """Return how much ``user`` may play at once. Raises ``ImproperlyConfigured``."""
    limit = get_rules().play_limit(user, scope)
    if is_limit(limit):
        return limit
    raise ImproperlyConfigured(NO_LIMIT.format(limit))


def _at_limit(user: AbstractBaseUser, scope: str) -> AtLimit:
    answer = get_rules().play_at_limit(user, scope)
    return choose(AtLimit, answer, "Rules.play_at_limit()")


def _tell_started(row: Play) -> None:
    audit.play_started(row)
    signals.play_started.send_robust(sender=Play, play=row)


def _tell_limit_reached(user_id: Any, start: PlayStart, using: str) -> None:
    facts: dict[str, Any] = {
        "user_id": user_id,
        "scope": start.scope,
        "limit": start.limit,
        "at_limit": start.at_limit,
        "play_id": start.play.pk if start.play is not None else None,
    }

    def tell() -> None:
        audit.play_limit_reached(**facts)
        signals.play_limit_reached.send_robust(sender=Play, **facts)

    after_commit(using, tell)
