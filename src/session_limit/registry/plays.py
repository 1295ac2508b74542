"""
Plays: what sessions do with guarded content, under a limit of their own and the same
lock. A play is a lease: it counts while it is renewed, and while its session is live.
"""

from __future__ import annotations

import functools
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import (
    BooleanField,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    Subquery,
)
from django.db.models.functions import Coalesce

from session_limit import audit, bus, policy, signals
from session_limit.conf import conf
from session_limit.models import LEASE, DatabaseNow, Play, UserSession, uuid7
from session_limit.policy import AtLimit, Decision, Displace, LiveSession
from session_limit.registry.limits import NO_LIMIT, choose, is_limit, storable_scope
from session_limit.registry.locking import in_transaction, lock_account
from session_limit.verify import registry_alias

Reason = Play.Reason

# How often a play asks to be renewed: two beats may be lost on the way.
INTERVAL = LEASE / 3

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Start:
    """
    How a start went. ``play`` is ``None`` where it was refused: ``rivals`` hold the
    places of its ``scope``, of which there are ``limit``; ``retry_after`` is set where
    places have changed hands too often, and says for how long not to ask again. A play
    that has ended already is one that was started before under the same key.
    """

    play: Play | None
    scope: str
    limit: int | None = None
    at_limit: AtLimit | None = None
    rivals: tuple[Play, ...] = ()
    retry_after: timedelta | None = None


def play(
    session: UserSession,
    what: str = "",
    *,
    key: str | None = None,
    swap: UUID | None = None,
) -> Start:
    """
    Start to play ``what`` (as the project names it, at most 200 characters) in the live
    ``session``, or refuse it. ``key``, of the caller's choice, makes a retry the same
    start: it names one play of this session, renewed where it is live. ``swap`` is the
    id of the play to end for this one, where ``"ask"`` lets a person choose.

    Raises ``ImproperlyConfigured`` without ``SESSION_LIMIT_PLAYS`` and for rules that
    answer what cannot be; ``ValueError`` for a ``what`` that is too long.
    """
    if not conf.uses_plays():
        raise ImproperlyConfigured("Set SESSION_LIMIT_PLAYS to use plays.")
    longest = cast("int", Play._meta.get_field("what").max_length)
    if len(what) > longest:
        raise ValueError(f"What is played has a name of at most {longest} characters.")
    user = session.user
    scope = storable_scope(conf.rules.play_scope(user, session, what), "play_scope")
    limit, at_limit = play_limit_of(user, scope), _at_limit(user, scope)
    # Of this session's alone: nobody's made-up key meets another's.
    id = uuid7() if key is None else uuid.uuid5(session.pk, key)
    decide = functools.partial(_decide, limit=limit, at_limit=at_limit, swap=swap)

    def work(using: str) -> Start:
        lock_account(user.pk, using)
        open_ = _settled(user.pk, using)
        own = next((row for row in open_ if row.pk == id), None)
        if own is None and key is not None:
            own = Play.objects.using(using).filter(pk=id).first()
        if own is not None:
            _renew(own.pk, own.session_id, using)
            return Start(own, own.scope, limit)
        rivals = [row for row in open_ if row.scope == scope]
        decision = decide([row.facts() for row in rivals])
        if not decision.admitted:
            start = Start(None, scope, limit, at_limit, tuple(rivals))
            _tell_limit_reached(user.pk, start, using)
            return start
        leaving = [row for row in rivals if row.pk in decision.ended]
        wait = _cooling(user.pk, scope, using) if leaving else None
        if wait is not None:
            return Start(None, scope, limit, at_limit, tuple(rivals), wait)
        _end(leaving, Reason.DISPLACED, using, by_play=id)
        start = Start(_record(id, session, scope, what, using), scope, limit, at_limit)
        if decision.exceeded:
            _tell_limit_reached(user.pk, start, using)
        return start

    return in_transaction(work)


def _decide(
    rivals: Sequence[LiveSession],
    *,
    limit: int | None,
    at_limit: AtLimit,
    swap: UUID | None,
) -> Decision:
    if at_limit is AtLimit.ASK and swap is not None:
        chosen = frozenset({swap})
        return policy.decide_choice(rivals, limit=limit, chosen=chosen)
    return policy.decide(
        rivals, limit=limit, at_limit=at_limit, displace=Displace.OLDEST
    )


def _record(id: UUID, session: UserSession, scope: str, what: str, using: str) -> Play:
    row = Play(id=id, user_id=session.user_id, session=session, scope=scope, what=what)
    row.lease_until = cast("Any", DatabaseNow() + LEASE)
    row.save(using=using, force_insert=True)
    transaction.on_commit(
        functools.partial(_tell_started, row), using=using, robust=True
    )
    return row


def _settled(user_id: Any, using: str) -> list[Play]:
    """
    Return the plays that count of the user whose account is locked, the oldest first,
    having ended those that are open and do not.

    Every open one is locked, those too whose lease is over: a renewal under way, which
    began before that, would else bring back a play that was no longer counted.
    """
    is_leased = ExpressionWrapper(
        Q(lease_until__gt=DatabaseNow()), output_field=BooleanField()
    )
    rows = Play.objects.using(using).open().filter(user_id=user_id)
    found = list(rows.select_for_update().annotate(is_leased=is_leased).order_by("pk"))
    if not found:
        return []
    sessions = UserSession.objects.using(using).live()
    live = set(
        sessions.filter(pk__in={row.session_id for row in found}).values_list(
            "pk", flat=True
        )
    )
    leased = {row.pk for row in found if cast("Any", row).is_leased}
    lapsed = [row for row in found if row.pk not in leased]
    over = [row for row in found if row.pk in leased and row.session_id not in live]
    _end(lapsed, Reason.LAPSED, using)
    _end(over, Reason.SESSION_ENDED, using)
    counting = [row for row in found if row.ended_at is None]
    return sorted(counting, key=lambda row: (row.started_at, row.pk))


def _end(
    rows: Collection[Play],
    reason: Reason,
    using: str,
    *,
    by_play: UUID | None = None,
) -> None:
    """End ``rows``, locked in the current transaction on ``using``."""
    if not rows:
        return
    plays = Play.objects.using(using).filter(pk__in=[row.pk for row in rows])
    plays.update(
        ended_at=_ENDED_AT.get(reason, DatabaseNow()),
        ended_reason=reason,
        ended_by_play=by_play,
    )
    ended = {row.pk: row for row in plays}
    for row in rows:
        row.ended_at, row.ended_reason = ended[row.pk].ended_at, reason
        row.ended_by_play = by_play
    transaction.on_commit(
        functools.partial(_tell_ended, list(rows)), using=using, robust=True
    )


_session_ended_at = Subquery(
    UserSession.objects.filter(pk=OuterRef("session_id")).values("ended_at")[:1]
)
# What nobody wrote down when it happened.
_ENDED_AT: dict[Reason, Any] = {
    Reason.LAPSED: F("lease_until"),
    Reason.SESSION_ENDED: Coalesce(_session_ended_at, F("lease_until")),
}


def _cooling(user_id: Any, scope: str, using: str) -> timedelta | None:
    """Return how long it is until a place of ``scope`` may change hands again."""
    if not conf.play_cooldown:
        return None
    again_at = F("ended_at") + conf.play_cooldown
    left = ExpressionWrapper(again_at - DatabaseNow(), output_field=DurationField())
    displaced = Play.objects.using(using).filter(
        user_id=user_id,
        scope=scope,
        ended_reason=Reason.DISPLACED,
        ended_at__gt=DatabaseNow() - conf.play_cooldown,
    )
    return displaced.order_by("-ended_at").values_list(left, flat=True).first()


def renew_play(id: UUID, session_id: UUID) -> bool:
    """
    Renew the play with this id, of the session with that one, which the caller knows to
    be live: for another ``LEASE``. Return whether it counts still. One indexed
    ``UPDATE``, without a lock of the account: a play that has lapsed is started anew.
    """
    return _renew(id, session_id, registry_alias())


def _renew(id: UUID, session_id: UUID, using: str) -> bool:
    rows = Play.objects.using(using).leased().filter(pk=id, session_id=session_id)
    return rows.update(lease_until=DatabaseNow() + LEASE) > 0


def stop_play(id: UUID, session_id: UUID) -> bool:
    """
    Stop the play with this id, of the session with that one, and free its place at
    once. Return whether it was open.
    """
    using = registry_alias()
    rows = Play.objects.using(using).open().filter(pk=id, session_id=session_id)
    was_open = rows.update(ended_at=DatabaseNow(), ended_reason=Reason.STOPPED) > 0
    if was_open:
        tell: Callable[[], None] = functools.partial(_tell_ended_by_id, id, using)
        transaction.on_commit(tell, using=using, robust=True)
    return was_open


def find_play(id: UUID, session_id: UUID) -> Play | None:
    """Return the play with this id, open or ended, of the session with that one."""
    rows = Play.objects.using(registry_alias()).filter(pk=id, session_id=session_id)
    return rows.first()


def live_plays(user: AbstractBaseUser) -> list[Play]:
    """Return what ``user`` plays now, the oldest first, each with its ``session``."""
    rows = Play.objects.using(registry_alias()).live().filter(user_id=user.pk)
    return list(rows.select_related("session").order_by("started_at", "pk"))


def play_limit_of(user: AbstractBaseUser, scope: str = "") -> int | None:
    """Return how much ``user`` may play at once. Raises ``ImproperlyConfigured``."""
    limit = conf.rules.play_limit(user, scope)
    if is_limit(limit):
        return limit
    raise ImproperlyConfigured(NO_LIMIT.format(limit))


def _at_limit(user: AbstractBaseUser, scope: str) -> AtLimit:
    answer = conf.rules.play_at_limit(user, scope)
    return choose(AtLimit, answer, "Rules.play_at_limit()")


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
    for row in _settled(user.pk, using):
        by_scope[row.scope].append(row)
    ended: list[Play] = []
    for scope, rows in by_scope.items():
        leaving = policy.excess(
            [row.facts() for row in rows],
            limit=play_limit_of(user, scope),
            displace=Displace.OLDEST,
        )
        ended += [row for row in rows if row.pk in leaving]
    _end(ended, Reason.LIMIT_LOWERED, using)
    return ended


def prune_plays() -> int:
    """
    End the plays that were not heard of any more, and delete those that ended longer
    ago than ``SESSION_LIMIT_RETENTION``, in batches; return how many were deleted.
    """
    using = registry_alias()
    plays = Play.objects.using(using)
    # Not those of a moment ago: whoever needs their place ends them.
    lapsed = plays.open().filter(lease_until__lte=DatabaseNow() - 2 * LEASE)
    while ids := list(lapsed.values_list("pk", flat=True)[:BATCH]):
        plays.filter(pk__in=ids, ended_at=None).update(
            ended_at=F("lease_until"), ended_reason=Reason.LAPSED
        )
    old = plays.filter(ended_at__lte=DatabaseNow() - conf.retention)
    deleted = 0
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        deleted += plays.filter(pk__in=ids).delete()[0]
    return deleted


def _tell_started(row: Play) -> None:
    audit.play_started(row)
    signals.play_started.send_robust(sender=Play, play=row)


def _tell_ended_by_id(id: UUID, using: str) -> None:
    row = Play.objects.using(using).filter(pk=id).first()
    if row is not None:
        _tell_ended([row])


def _tell_ended(rows: Sequence[Play]) -> None:
    paused = [row for row in rows if row.ended_reason in Play.HEARD]
    if paused:
        bus.publish([row.session_id for row in paused])
    for row in rows:
        audit.play_ended(row)
        signals.play_ended.send_robust(
            sender=Play,
            play=row,
            reason=Reason(row.ended_reason),
            by_play=row.ended_by_play,
        )


def _tell_limit_reached(user_id: Any, start: Start, using: str) -> None:
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

    transaction.on_commit(tell, using=using, robust=True)
