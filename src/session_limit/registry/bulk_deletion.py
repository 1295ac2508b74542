"""Delete rows of ended sessions and plays: too old, or too many for one account."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet

# How many ended sessions, and how many ended plays, an account keeps. A script that
# signs in once a second would leave 2.6 million within the default retention.
MAX_KEPT = 1000

# How many rows one statement of a pruning ends or deletes.
BATCH = 1000


def delete(rows: QuerySet[Any], most: int | None = None) -> int:
    """
    Delete ``rows``, or with ``most`` no more than that many of them in their order, in
    batches. Return how many were deleted.
    """
    deleted = 0
    ids = rows.values_list("pk", flat=True)
    while batch := list(ids[: BATCH if most is None else min(BATCH, most - deleted)]):
        rows.filter(pk__in=batch).delete()
        deleted += len(batch)
    return deleted


def surplus(ended: QuerySet[Any]) -> dict[Any, int]:
    """
    Return the primary keys of the users who have more than ``MAX_KEPT`` of the
    ``ended`` rows, and how many more. Reads an index with an entry for each row.
    """
    counts = ended.values_list("user_id").annotate(count=Count("pk"))
    crowded = counts.filter(count__gt=MAX_KEPT)
    return {user_id: count - MAX_KEPT for user_id, count in crowded}


def delete_surplus(ended: QuerySet[Any]) -> int:
    """
    Delete the oldest of each user's ``ended`` rows that are in ``surplus()``. Return
    how many were deleted.
    """
    return sum(
        delete(ended.filter(user_id=user_id).order_by("ended_at", "pk"), count)
        for user_id, count in surplus(ended).items()
    )
