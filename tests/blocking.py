"""Calling what is asynchronous as if it were not."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from inspect import iscoroutinefunction

from asgiref.sync import async_to_sync


def blocking(method):
    """
    Return ``method``, of a test client of either kind, as one that blocks. As a server
    does, an asynchronous request gets a context of its own: each leaves variables
    behind, and every hop to a thread would copy those of all before it.
    """
    if not iscoroutinefunction(method):
        return method
    return partial(copy_context().run, async_to_sync(method))
