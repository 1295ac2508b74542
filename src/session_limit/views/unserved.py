"""Fallback views for URLs that ``SessionGuard`` or ``SessionGateway`` should serve."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from session_limit.views.base import PublicView, public


class EventsView(PublicView):
    """The fallback view that makes open pages poll if there is no event stream."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return a 204 response, which stops an ``EventSource`` from reconnecting."""
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


# Decorated again, because Django reads the decorators' marks from dispatch().
@public
class GatewayView(PublicView):
    """The fallback view that makes proxies deny requests if there is no gateway."""

    def dispatch(self, request: HttpRequest) -> HttpResponse:
        """Return a 503 response that explains how to set up the gateway."""
        return HttpResponse(
            "The gateway is not served: wrap the application in "
            "session_limit.asgi.SessionGuard (ASGI) or "
            "session_limit.wsgi.SessionGateway (WSGI).",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain; charset=utf-8",
        )
