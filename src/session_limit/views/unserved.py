"""Fallback views at the URLs that ``SessionGuard`` and ``SessionGateway`` serve."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from session_limit.views.base import PublicView, public


class EventsView(PublicView):
    """The fallback that makes open pages poll if there is no event stream."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return a 204 response, after which an ``EventSource`` does not reconnect."""
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


# Decorated again, because Django reads the decorators' marks from dispatch().
@public
class GatewayView(PublicView):
    """The fallback that makes proxies refuse requests if there is no gateway."""

    def dispatch(self, request: HttpRequest) -> HttpResponse:
        """Answer any method with a 503 that explains how to serve the gateway."""
        return HttpResponse(
            "The gateway is not served: wrap the application in "
            "session_limit.asgi.SessionGuard (ASGI) or "
            "session_limit.wsgi.SessionGateway (WSGI).",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain; charset=utf-8",
        )
