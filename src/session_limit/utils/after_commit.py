"""Run functions after a database transaction commits."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.db import transaction


def after_commit(using: str, function: Callable[..., Any], *args: Any) -> None:
    """
    Call ``function(*args)`` once the transaction on the database ``using`` commits.

    Without an open transaction, the call happens immediately. If the function raises an
    exception, Django logs the exception. The request continues, and the other functions
    that wait for the commit still run.
    """

    # Up to Django 6.0, on_commit() logs the __qualname__ of a function that fails. A
    # functools.partial() has no such attribute.
    @functools.wraps(function)
    def call() -> None:
        function(*args)

    transaction.on_commit(call, using=using, robust=True)
