"""Provide middleware that does little, so that the cost of having it shows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def empty(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def middleware(request: Any) -> Any:
        return get_response(request)

    async def async_middleware(request: Any) -> Any:
        return await get_response(request)

    return async_middleware if iscoroutinefunction(get_response) else middleware


@sync_and_async_middleware
def classes(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """
    Give the request and its session another class, and do nothing else.

    SessionLimitMiddleware does this, so that it need not read anything on a public
    page.
    """
    if not iscoroutinefunction(get_response):

        def middleware(request: Any) -> Any:
            change_classes(request)
            return get_response(request)

        return middleware

    async def amiddleware(request: Any) -> Any:
        change_classes(request)
        return await get_response(request)

    return amiddleware


def change_classes(request: Any) -> None:
    request.__class__ = derived(type(request))
    request.session.__class__ = derived(type(request.session))
    request.session.request = request


@functools.cache
def derived(kind: type) -> type:
    return type(kind.__name__, (kind,), {"__module__": kind.__module__})
