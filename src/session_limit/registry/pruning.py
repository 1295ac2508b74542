"""End sessions whose time is up, and delete rows that have been kept long enough."""

from __future__ import annotations

from django.utils import timezone

from session_limit.conf import conf
from session_limit.models import (
    LEASE,
    DatabaseNow,
    PendingSignIn,
    Play,
    UserSession,
    registry_alias,
)
from session_limit.registry import bulk_deletion
from session_limit.registry.ending import end
from session_limit.registry.leases import _ENDED_AT, _by_reason, _sessions_of


def prune(*, dry_run: bool = False) -> tuple[int, int]:
    """
    End the sessions whose time is up, and delete the tombstones older than
    ``SESSION_LIMIT_RETENTION`` and those beyond the newest 1,000 of an account, in
    batches. Return how many were ended and how many deleted. Delete the sign-ins that
    have waited too long for a choice too, and plays by the same two rules. ``dry_run``
    counts and writes nothing.
    """
    using, now = registry_alias(), timezone.now()
    sessions = UserSession.objects.using(using)
    # What is due by the interval that every row is granted, and no sooner.
    due = sessions.live().filter(expires_at__lte=now - conf.touch_interval)
    old = sessions.filter(ended_at__lte=now - conf.retention)
    kept = sessions.filter(ended_at__gt=now - conf.retention)
    if dry_run:
        return due.count(), old.count() + sum(bulk_deletion.surplus(kept).values())
    ended = 0
    for reason in (
        UserSession.Reason.EXPIRED,
        UserSession.Reason.IDLE,
        UserSession.Reason.ABSOLUTE,
    ):
        of_reason = due.filter(expires_reason=reason)
        while ids := list(
            of_reason.values_list("pk", flat=True)[: bulk_deletion.BATCH]
        ):
            ended += len(end(ids, reason))
    PendingSignIn.objects.using(using).filter(expires_at__lte=now).delete()
    if conf.uses_plays():
        prune_plays()
    return ended, bulk_deletion.delete(old) + bulk_deletion.delete_surplus(kept)


def prune_plays() -> int:
    """
    End the plays that were not heard of any more. Delete those that ended longer ago
    than ``SESSION_LIMIT_RETENTION`` and those beyond the newest 1,000 of an account, in
    batches. Return how many were deleted.
    """
    using = registry_alias()
    plays = Play.objects.using(using)
    # Not those of a moment ago: whoever needs their place ends them.
    lapsed = plays.open().filter(lease_until__lte=DatabaseNow() - 2 * LEASE)
    while rows := list(lapsed[: bulk_deletion.BATCH]):
        for reason, over in _by_reason(rows, _sessions_of(rows, using)).items():
            plays.filter(pk__in=[row.pk for row in over], ended_at=None).update(
                ended_at=_ENDED_AT[reason], ended_reason=reason
            )
    old = plays.filter(ended_at__lte=DatabaseNow() - conf.retention)
    kept = plays.filter(ended_at__gt=DatabaseNow() - conf.retention)
    return bulk_deletion.delete(old) + bulk_deletion.delete_surplus(kept)
