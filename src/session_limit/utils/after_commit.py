"""Run functions after a database transaction commits."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.db import transaction


def after_commit(using: str, function: Callable[..., Any], *args: Any) -> None:
    """
    Call ``function(*args)`` after the current database transaction commits.

    ``using`` is the database alias. Without an open transaction, the function is called
    immediately. If the function raises an exception, Django logs the exception. Other
    functions that wait for the commit still run, and the request continues.
    """
    call: Any = functools.partial(function, *args)
    # Up to Django 6.0, on_commit() logs the __qualname__ of a function that fails. A
    # functools.partial() has none of its own.
    call.__qualname__ = getattr(function, "__qualname__", "")
    transaction.on_commit(call, using=using, robust=True)
