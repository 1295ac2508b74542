"""Delete the rows of a deleted user without loading or listing the rows."""

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
    Delete the rows that refer to a deleted user in one SQL statement.

    With Django's ``CASCADE``, the admin would list all of these rows before it deletes
    a user, and an account may have any number of sessions. ``CASCADE`` is still used if
    the project listens to the deletion of these rows or has foreign keys to them.
    """
    # The admin's own collector always returns False here, so that it can list the rows.
    if Collector(using).can_fast_delete(sub_objs):
        collector.fast_deletes.append(sub_objs)
    else:
        cast("Callable[..., None]", CASCADE)(collector, field, sub_objs, using)


cascade_unlisted = cast("OnDelete", _cascade_unlisted)
# With this attribute, Django passes the rows to the function without reading them.
cascade_unlisted.lazy_sub_objs = True
