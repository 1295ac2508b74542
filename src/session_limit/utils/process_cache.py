"""Cache what the project's settings decide for the whole process."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.signals import setting_changed

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

T = TypeVar("T")


def decided_by_settings(function: Callable[..., T]) -> _lru_cache_wrapper[T]:
    """
    Decorate a function so that it is called once for the same arguments.

    The function is called again after a test has changed a setting with Django's
    ``override_settings()``.
    """
    cached = functools.cache(function)

    def decide_again(**kwargs: Any) -> None:
        cached.cache_clear()

    # Nothing else refers to this receiver.
    setting_changed.connect(decide_again, weak=False)
    return cached
