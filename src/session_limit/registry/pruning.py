"""Record what has expired, and delete old rows."""

from __future__ import annotations

from django.utils import timezone

from session_limit.conf import conf
from session_limit.models import (
    LEASE,
    DatabaseNow,
    EndReason,
    PendingSignIn,
    Play,
    UserSession,
    registry_alias,
)
from session_limit.registry import bulk_deletion
from session_limit.registry.ending import end
from session_limit.registry.leases import record_lapsed


def prune(*, dry_run: bool = False) -> tuple[int, int]:
    """
    End the sessions that have expired and delete old rows, in batches.

    These rows are deleted: tombstones older than ``SESSION_LIMIT_RETENTION``, those
    beyond the newest 1,000 of an account, plays by the same two rules, and pending
    sign-ins that have expired. Return how many sessions ended and how many tombstones
    were deleted. ``dry_run`` only counts them.
    """
    using, now = registry_alias(), timezone.now()
    sessions = UserSession.objects.using(using)
    # Activity may go unrecorded for this long, so an idle session may still be live.
    due = sessions.live().filter(expires_at__lte=now - conf.touch_interval)
    old = sessions.filter(ended_at__lte=now - conf.retention)
    kept = sessions.filter(ended_at__gt=now - conf.retention)
    if dry_run:
        return due.count(), old.count() + sum(bulk_deletion.surplus(kept).values())
    ended = 0
    for reason in (EndReason.EXPIRED, EndReason.IDLE, EndReason.ABSOLUTE):
        ids = due.filter(expires_reason=reason).values_list("pk", flat=True)
        while batch := list(ids[: bulk_deletion.BATCH]):
            ended += len(end(batch, reason))
    PendingSignIn.objects.using(using).filter(expires_at__lte=now).delete()
    if conf.uses_plays():
        prune_plays()
    return ended, bulk_deletion.delete(old) + bulk_deletion.delete_surplus(kept)


def prune_plays() -> int:
    """
    Record the end of the plays that have lapsed, and delete old plays as ``prune()``
    deletes tombstones. Return how many were deleted.
    """
    using = registry_alias()
    plays = Play.objects.using(using)
    # A play that has lapsed only now is left to a play that needs its place.
    lapsed = plays.open().filter(lease_until__lte=DatabaseNow() - 2 * LEASE)
    while rows := list(lapsed[: bulk_deletion.BATCH]):
        record_lapsed(rows, using)
    old = plays.filter(ended_at__lte=DatabaseNow() - conf.retention)
    kept = plays.filter(ended_at__gt=DatabaseNow() - conf.retention)
    return bulk_deletion.delete(old) + bulk_deletion.delete_surplus(kept)
