"""
Send a strict content security policy with every response.

Django has a middleware for this since version 6.0, but the example also runs on Django
5.2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

# Allow resources of this site only, and nothing inline.
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self'; media-src 'self'; "
    "script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

Handler = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def content_security_policy(get_response: Handler) -> Handler:
    """Add the header ``Content-Security-Policy`` to every response."""
    if iscoroutinefunction(get_response):

        async def ahandle(request: HttpRequest) -> HttpResponseBase:
            response = await get_response(request)
            response.headers["Content-Security-Policy"] = POLICY
            return response

        return ahandle

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return handle
