"""Defer work until the commit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.db import transaction


def after_commit(using: str, function: Callable[..., Any], *args: Any) -> None:
    """
    Call ``function(*args)`` once the current transaction on ``using`` has committed, or
    at once if there is none. Django logs an exception that the function raises; the
    request goes on, and so do the other functions that wait for the commit.
    """

    # Up to Django 6.0, on_commit() logs the __qualname__ of a function that failed,
    # which functools.partial() lacks.
    @functools.wraps(function)
    def call() -> None:
        function(*args)

    transaction.on_commit(call, using=using, robust=True)
