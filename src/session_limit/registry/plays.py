"""Start playbacks of limited content, up to a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef

from session_limit import policy
from session_limit.conf import conf
from session_limit.models import (
    DatabaseNow,
    Play,
    PlayEndReason,
    UserSession,
    uuid7,
)
from session_limit.policy import AtLimit, Decision, Displace
from session_limit.registry import announcements
from session_limit.registry.accounts import lock_account
from session_limit.registry.leases import (
    end_plays,
    lock_counting_plays,
    play_id_of,
)
from session_limit.registry.limits import (
    play_at_limit_for,
    play_limit_of,
)
from session_limit.registry.outcomes import PlayStart
from session_limit.registry.renewals import renew_play
from session_limit.registry.transactions import transactional
from session_limit.rules import get_rules
from session_limit.utils.after_commit import after_commit

# The maximum number of plays that one session may have at once, whatever the limit. A
# browser has fewer tabs. A client that never stops its plays leaves no more open.
MAX_OF_SESSION = 100


@dataclass(frozen=True, slots=True)
class _Newcomer:
    """The facts of a new playback, collected before any database row is locked."""

    id: UUID
    session: UserSession
    what: str
    scope: str
    limit: int | None
    at_limit: AtLimit
    swap: UUID | None
    resumes: bool
    # Whether an earlier start may have used the same id.
    may_be_retry: bool


def play(
    session: UserSession,
    what: str = "",
    *,
    key: str | None = None,
    swap: UUID | None = None,
    resumes: bool = False,
) -> PlayStart:
    """
    Start a playback of limited content in a live session, or refuse the start.

    ``what`` is the project's name for the content, at most 200 characters. ``key`` is a
    string that the caller chooses. A second call with the same key and session returns
    the same playback, and renews it if it still counts towards the limit. ``swap`` is
    the id of the playback that the user chose to end, under ``"ask"``. ``resumes`` says
    that no person asked for this start. The start then displaces no other playback.

    Raises ``ImproperlyConfigured`` if ``SESSION_LIMIT_PLAYS`` is not set or the
    project's ``Rules`` return an invalid value, and ``ValueError`` if ``what`` is too
    long.
    """
    if not conf.uses_plays():
        raise ImproperlyConfigured("Set SESSION_LIMIT_PLAYS to use plays.")
    longest = cast("int", Play._meta.get_field("what").max_length)
    if len(what) > longest:
        raise ValueError(f"What is played has a name of at most {longest} characters.")
    user = session.user
    scope = get_rules().play_scope(user, session, what)
    newcomer = _Newcomer(
        id=uuid7() if key is None else play_id_of(session.pk, key),
        session=session,
        what=what,
        scope=scope,
        limit=play_limit_of(user, scope),
        at_limit=play_at_limit_for(user, scope),
        swap=swap,
        resumes=resumes,
        may_be_retry=key is not None,
    )
    try:
        return _start(newcomer)
    except IntegrityError:
        if type(user)._base_manager.filter(pk=user.pk).exists():
            raise
        # The account was deleted in the meantime.
        return PlayStart(None, scope, is_too_late=True)


@transactional
def _start(using: str, newcomer: _Newcomer) -> PlayStart:
    session, scope, limit = newcomer.session, newcomer.scope, newcomer.limit
    at_limit = newcomer.at_limit
    lock_account(session.user_id, using)
    # Without this lock, a playback of an ending session could displace a playback of a
    # live session.
    sessions = UserSession.objects.using(using).live().filter(pk=session.pk)
    if sessions.select_for_update().first() is None:
        return PlayStart(None, scope, is_too_late=True)
    counting = lock_counting_plays(session.user_id, using)
    own = _renewed(newcomer.id, session.pk, using) if newcomer.may_be_retry else None
    if own is not None:
        return PlayStart(own, own.scope)
    rivals = [row for row in counting if row.scope == scope]
    decision = _decide(newcomer, rivals)
    displaced = frozenset(decision.ended)
    leaving = [row for row in rivals if row.pk in displaced]
    is_asked = not decision.admitted and at_limit is not AtLimit.DENY
    wait = _cooling(newcomer, leaving, using, is_asked=is_asked)
    if decision.admitted and wait is None:
        staying = [row for row in counting if row.pk not in displaced]
        leaving += _crowding(session, staying)
        end_plays(leaving, PlayEndReason.DISPLACED, using, by_play=newcomer.id)
        start = PlayStart(_record(newcomer, using), scope, limit, at_limit)
    else:
        start = PlayStart(None, scope, limit, at_limit, tuple(rivals), wait)
    if decision.exceeded or start.play is None:
        after_commit(using, announcements.limit_reached, session.user, start)
    return start


def _crowding(session: UserSession, staying: Sequence[Play]) -> Sequence[Play]:
    """
    Return the oldest playbacks of ``session`` that must end to make room for another.

    The maximum is ``MAX_OF_SESSION``. ``staying`` is sorted, oldest playback first.
    """
    own = [row for row in staying if row.session_id == session.pk]
    return own[: max(0, len(own) + 1 - MAX_OF_SESSION)]


def _renewed(id: UUID, session_id: UUID, using: str) -> Play | None:
    """
    Renew and return a playback that was already started, or ``None`` if none was.

    If the playback was not renewed in time, its end is recorded instead.
    """
    counts = renew_play(id, session_id)
    row = Play.objects.using(using).filter(pk=id).first()
    if row is not None and row.ended_at is None and not counts:
        end_plays([row], PlayEndReason.LAPSED, using)
    return row


def _decide(newcomer: _Newcomer, rivals: Sequence[Play]) -> Decision:
    limit, at_limit = newcomer.limit, newcomer.at_limit
    facts = [row.facts() for row in rivals]
    if at_limit is AtLimit.ASK and newcomer.swap is not None:
        return policy.decide_swap(facts, limit=limit, chosen=newcomer.swap)
    if newcomer.resumes and at_limit is AtLimit.DISPLACE:
        at_limit = AtLimit.DENY
    return policy.decide(
        facts, limit=limit, at_limit=at_limit, displace=Displace.OLDEST
    )


def _record(newcomer: _Newcomer, using: str) -> Play:
    row = Play(
        id=newcomer.id,
        user_id=newcomer.session.user_id,
        session=newcomer.session,
        scope=newcomer.scope,
        what=newcomer.what,
        # All servers share the database's clock, so they agree on the oldest play.
        started_at=cast("Any", DatabaseNow()),
        lease_until=cast("Any", DatabaseNow() + conf.play_lease),
    )
    row.save(using=using, force_insert=True)
    row.refresh_from_db(using=using, fields=["started_at", "lease_until"])
    after_commit(using, announcements.play_started, row)
    return row


def _cooling(
    newcomer: _Newcomer, leaving: Sequence[Play], using: str, *, is_asked: bool
) -> timedelta | None:
    """
    Return how long a new playback must wait, or ``None`` if it may start now.

    The wait lasts until ``SESSION_LIMIT_PLAY_COOLDOWN`` after another session displaced
    a playback of the scope. A start waits only if it would end a playback of another
    session, or if a person is about to choose a playback to end (``is_asked``).
    """
    session = newcomer.session
    takes = is_asked or any(row.session_id != session.pk for row in leaving)
    if not conf.play_cooldown or not takes:
        return None
    again_at = F("ended_at") + conf.play_cooldown
    left = ExpressionWrapper(again_at - DatabaseNow(), output_field=DurationField())
    plays = Play.objects.using(using)
    by = plays.filter(pk=OuterRef("ended_by_play"))
    displaced = plays.filter(
        user_id=session.user_id,
        scope=newcomer.scope,
        ended_reason=PlayEndReason.DISPLACED,
        ended_at__gt=DatabaseNow() - conf.play_cooldown,
    )
    # A page that is loaded again displaces its own old play, which needs no wait.
    by_others = displaced.exclude(Exists(by.filter(session_id=OuterRef("session_id"))))
    return by_others.order_by("-ended_at").values_list(left, flat=True).first()
