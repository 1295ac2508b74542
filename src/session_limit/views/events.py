"""The address of the event stream, where ``SessionGuard`` does not stand in front."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache


@method_decorator([login_not_required, never_cache], name="dispatch")
class EventsView(View):
    """Says that there is no stream here, so that pages ask for their status instead."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer what ends an ``EventSource``."""
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
