"""Tells the harness when, and in which process, a sign-in ran."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

STAMP = "_cap_stamp"


@contextmanager
def stamped(request: HttpRequest) -> Iterator[None]:
    """Note the time on entering and on leaving; all processes share this clock."""
    entered = time.monotonic_ns()
    try:
        yield
    finally:
        request.META[STAMP] = f"{entered} {time.monotonic_ns()} {os.getpid()}"


def _put(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if STAMP in request.META:
        response["X-Sign-In"] = request.META[STAMP]
    return response


@sync_and_async_middleware
def stamp(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """
    Put the note on the response.

    Outermost, so that an answer made in place of the view's carries it too.
    """
    if iscoroutinefunction(get_response):

        async def stamp_async(request: HttpRequest) -> HttpResponseBase:
            answer: Awaitable[HttpResponseBase] = get_response(request)
            return _put(request, await answer)

        return stamp_async

    def stamp_sync(request: HttpRequest) -> HttpResponseBase:
        return _put(request, get_response(request))

    return stamp_sync
