"""Do what has to wait for the commit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.db import transaction


def after_commit(using: str, function: Callable[..., Any], *args: Any) -> None:
    """
    Call ``function(*args)`` once the current transaction on ``using`` has committed, or
    at once if there is none. What it raises is logged, and neither fails the request
    nor keeps what else waits for the commit from being done.
    """

    # Not functools.partial(): up to Django 6.0, on_commit() reads the name of a
    # function that failed, and a partial has none.
    @functools.wraps(function)
    def call() -> None:
        function(*args)

    transaction.on_commit(call, using=using, robust=True)
