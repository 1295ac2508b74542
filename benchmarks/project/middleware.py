"""Provide a middleware that does nothing, so that the cost of having one shows."""

from __future__ import annotations

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
