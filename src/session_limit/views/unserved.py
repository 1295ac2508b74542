"""Answer at the URLs that ``SessionGuard`` or ``SessionGateway`` would serve."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from session_limit.views.base import PublicView, public


class EventsView(PublicView):
    """The answer that there is no event stream, so that pages poll their status."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return a 204 response, after which an ``EventSource`` does not reconnect."""
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


# Decorated again: Django reads the decorators' marks from dispatch(), replaced here.
@public
class GatewayView(PublicView):
    """The answer that the gateway is not installed. Proxies take it as a refusal."""

    def dispatch(self, request: HttpRequest) -> HttpResponse:
        """Return a 503 response to a request with any method."""
        return HttpResponse(
            "The gateway is not served: wrap the application in "
            "session_limit.asgi.SessionGuard (ASGI) or "
            "session_limit.wsgi.SessionGateway (WSGI).",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain; charset=utf-8",
        )
