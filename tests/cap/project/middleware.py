"""Tells the harness when, and in which process, a view ran."""

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
    Outermost, so that an answer made in place of the view's is stamped too. All
    processes share the clock.
    """

    def process_view(self, request: HttpRequest, *args: Any) -> None:
        """Before the transaction of ``ATOMIC_REQUESTS``, which may have to wait."""
        request.META[ENTERED] = time.monotonic_ns()

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if ENTERED in request.META:
            left = time.monotonic_ns()
            response["X-View"] = f"{request.META[ENTERED]} {left} {os.getpid()}"
        return response
