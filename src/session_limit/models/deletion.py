"""Delete an account's rows with its user, without loading or listing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from django.db import models
from django.db.models.deletion import CASCADE, Collector


class OnDelete(Protocol):
    """The signature of a function that Django accepts as ``on_delete``."""

    lazy_sub_objs: bool

    def __call__(
        self,
        collector: Collector,
        field: models.Field[Any, Any],
        sub_objs: Any,
        using: str,
    ) -> None: ...


def _cascade_unlisted(
    collector: Collector, field: models.Field[Any, Any], sub_objs: Any, using: str
) -> None:
    """
    Delete the rows with their user, as ``CASCADE`` does, in one statement that reads
    none of them. The admin lists what ``CASCADE`` deletes on the page that asks whether
    to delete a user, and an account may have any number of sessions.

    ``CASCADE`` takes over if a project listens to the deletion of these rows, or refers
    to them with rows of its own.
    """
    # Ask another collector: the admin's always answers False, to list rows.
    if Collector(using).can_fast_delete(sub_objs):
        collector.fast_deletes.append(sub_objs)
    else:
        cast("Callable[..., None]", CASCADE)(collector, field, sub_objs, using)


cascade_unlisted = cast("OnDelete", _cascade_unlisted)
# Django then passes the rows without having read them.
cascade_unlisted.lazy_sub_objs = True
