"""The gateway's address, where nothing of ours stands in front to answer at it."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt


@method_decorator([csrf_exempt, login_not_required, never_cache], name="dispatch")
class GatewayView(View):
    """Says yes to nobody, and to whoever set it up what is missing."""

    def dispatch(self, request: HttpRequest) -> HttpResponse:
        """Answer 503: a proxy takes it for a no."""
        return HttpResponse(
            "The gateway is not served: wrap the application in "
            "session_limit.asgi.SessionGuard (ASGI) or "
            "session_limit.wsgi.SessionGateway (WSGI).",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            content_type="text/plain; charset=utf-8",
        )
