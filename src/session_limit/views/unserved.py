"""Addresses that ``SessionGuard`` or ``SessionGateway`` serves once it is installed."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from session_limit.views.base import PublicView, public


class EventsView(PublicView):
    """Answer that there is no event stream, so that pages poll their status instead."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer 204, after which an ``EventSource`` does not connect again."""
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


# Decorated again: Django reads the decorators' marks from the class's own dispatch().
@public
class GatewayView(PublicView):
    """Answer that the gateway is not installed, which a proxy takes for a refusal."""

    def dispatch(self, request: HttpRequest) -> HttpResponse:
        """Answer 503 to every method."""
        return HttpResponse(
            "The gateway is not served: wrap the application in "
            "session_limit.asgi.SessionGuard (ASGI) or "
            "session_limit.wsgi.SessionGateway (WSGI).",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain; charset=utf-8",
        )
