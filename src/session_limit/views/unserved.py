"""Fallback views for URLs that ``SessionGuard`` or ``SessionGateway`` should serve."""

from __future__ import annotations

import functools
import logging
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from session_limit.views.base import PublicView, public

logger = logging.getLogger("session_limit")

_NO_GUARD = (
    "SessionGuard does not serve this ASGI application, so open pages learn only after "
    "up to ten seconds that their session has ended. In asgi.py, write application = "
    "SessionGuard(get_asgi_application()), with SessionGuard from session_limit.asgi."
)
_NO_GATEWAY_UNDER_ASGI = (
    "The gateway is not served: wrap the application in session_limit.asgi."
    "SessionGuard in asgi.py."
)
_NO_GATEWAY_UNDER_WSGI = (
    "The gateway is not served: wrap the application in session_limit.wsgi."
    "SessionGateway in wsgi.py. The command runserver uses wsgi.py only if the setting "
    "WSGI_APPLICATION names its application."
)


class EventsView(PublicView):
    """The fallback view that makes open pages poll if there is no event stream."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """
        Return a 204 response, which stops an ``EventSource`` from reconnecting.

        Under ASGI, log that ``SessionGuard`` is missing. Under WSGI, nothing is wrong.
        """
        if isinstance(request, ASGIRequest):
            _warn(_NO_GUARD)
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


# Decorated again, because Django reads the decorators' marks from dispatch().
@public
class GatewayView(PublicView):
    """The fallback view that makes proxies deny requests if there is no gateway."""

    def dispatch(self, request: HttpRequest) -> HttpResponse:
        """Return a 503 response that explains how to set up the gateway."""
        is_asgi = isinstance(request, ASGIRequest)
        text = _NO_GATEWAY_UNDER_ASGI if is_asgi else _NO_GATEWAY_UNDER_WSGI
        # A proxy does not show the body to anybody.
        _warn(text)
        return HttpResponse(
            text,
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain; charset=utf-8",
        )


@functools.cache
def _warn(text: str) -> None:
    """Log a warning, once per process."""
    logger.warning(text)
