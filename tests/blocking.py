"""Call asynchronous functions from synchronous tests."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from inspect import iscoroutinefunction

from asgiref.sync import async_to_sync


def blocking(method):
    """
    Return a blocking version of ``method``, a method of either kind of test client.

    An asynchronous request runs in a new context, as on a server. Otherwise the
    variables that each request leaves behind would add up, and every switch of threads
    would copy all of them.
    """
    if not iscoroutinefunction(method):
        return method
    return partial(copy_context().run, async_to_sync(method))
