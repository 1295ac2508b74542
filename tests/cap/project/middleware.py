"""Report to the harness when a view ran, and in which process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from django.utils.deprecation import MiddlewareMixin

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

ENTERED = "_cap_entered"


class Stamp(MiddlewareMixin):
    """
    Add the ``X-View`` header to each response.

    This middleware is the outermost, so that it also stamps an answer that replaces the
    view's. All processes read the same clock.
    """

    def process_view(self, request: HttpRequest, *args: Any) -> None:
        """Note the time before ``ATOMIC_REQUESTS`` waits to begin its transaction."""
        request.META[ENTERED] = time.monotonic_ns()

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if ENTERED in request.META:
            left = time.monotonic_ns()
            response["X-View"] = f"{request.META[ENTERED]} {left} {os.getpid()}"
        return response
