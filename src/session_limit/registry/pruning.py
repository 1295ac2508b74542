"""Record the end of expired sessions and playbacks, and delete old rows."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet

from session_limit.conf import conf
from session_limit.models import (
    DatabaseNow,
    EndReason,
    PendingSignIn,
    Play,
    UserSession,
    registry_alias,
)
from session_limit.registry.ending import end
from session_limit.registry.leases import record_lapsed
from session_limit.utils.clock import utc_now
from session_limit.utils.missing_tables import explains_missing_tables

# How many ended sessions, and how many ended plays, an account keeps. A script that
# signs in once a second would leave 2.6 million within the default retention.
MAX_KEPT = 1000

# The number of rows that one statement ends or deletes.
BATCH = 1000


@explains_missing_tables
def prune(*, dry_run: bool = False) -> tuple[int, int]:
    """
    End expired sessions and delete old database rows, in batches.

    The deleted rows are expired pending sign-ins, and sessions and playbacks that ended
    more than ``SESSION_LIMIT_RETENTION`` ago or are not among the newest 1,000 of an
    account. Return the number of sessions that this call ended and the number of
    deleted session rows. With ``dry_run``, only count these sessions and rows.
    """
    using, now = registry_alias(), utc_now()
    sessions = UserSession.objects.using(using)
    # An idle session may still be live, since activity may go unrecorded this long.
    due = sessions.live().filter(expires_at__lte=now - conf.touch_interval)
    old = sessions.filter(ended_at__lte=now - conf.retention)
    kept = sessions.filter(ended_at__gt=now - conf.retention)
    if dry_run:
        return due.count(), old.count() + sum(_surplus(kept).values())
    ended = 0
    for reason in (EndReason.EXPIRED, EndReason.IDLE, EndReason.ABSOLUTE):
        ids = due.filter(expires_reason=reason).values_list("pk", flat=True)
        while batch := list(ids[:BATCH]):
            ended += len(end(batch, reason))
    PendingSignIn.objects.using(using).filter(expires_at__lte=now).delete()
    if conf.uses_plays():
        prune_plays()
    return ended, _delete(old) + _delete_surplus(kept)


def prune_plays() -> int:
    """
    Record the end of playbacks that were not renewed in time, and delete old rows.

    ``prune()`` deletes old sessions in the same way. Return the number of deleted rows.
    """
    using = registry_alias()
    plays = Play.objects.using(using)
    # A play that has lapsed just now is left to a play that needs to start.
    lapsed = plays.open().filter(lease_until__lte=DatabaseNow() - conf.play_lease)
    while rows := list(lapsed[:BATCH]):
        record_lapsed(rows, using)
    old = plays.filter(ended_at__lte=DatabaseNow() - conf.retention)
    kept = plays.filter(ended_at__gt=DatabaseNow() - conf.retention)
    return _delete(old) + _delete_surplus(kept)


def _delete(rows: QuerySet[Any], most: int | None = None) -> int:
    """Delete up to ``most`` of the ``rows``, in batches, and return their number."""
    deleted = 0
    ids = rows.values_list("pk", flat=True)
    while batch := list(ids[: BATCH if most is None else min(BATCH, most - deleted)]):
        rows.filter(pk__in=batch).delete()
        deleted += len(batch)
    return deleted


def _surplus(ended: QuerySet[Any]) -> dict[Any, int]:
    """Return how many ended rows each user has beyond ``MAX_KEPT``, by user id."""
    # This reads an index with an entry for each row.
    counts = ended.values_list("user_id").annotate(count=Count("pk"))
    crowded = counts.filter(count__gt=MAX_KEPT)
    return {user_id: count - MAX_KEPT for user_id, count in crowded}


def _delete_surplus(ended: QuerySet[Any]) -> int:
    """Delete each user's oldest rows beyond ``MAX_KEPT``, and return their number."""
    return sum(
        _delete(ended.filter(user_id=user_id).order_by("ended_at", "pk"), count)
        for user_id, count in _surplus(ended).items()
    )
