"""The page that explains why a session ended."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpResponse, HttpResponseRedirect

from session_limit.client import posted_data
from session_limit.pages import links, use_here
from session_limit.request import GuardedRequest
from session_limit.views.base import PublicView


class EndedView(PublicView):
    """
    The page that explains why a session ended and handles "Use here instead".

    The explanation normally appears at the URL that was requested. Clients such as htmx
    cannot show the explanation there and are sent to this page.
    """

    http_method_names = ["get", "head", "post"]

    def get(self, request: GuardedRequest) -> HttpResponse:
        """Explain why the session ended, or redirect if no session has ended."""
        if request.session_limit.ended is None:
            url = request.GET.get("next")
            return HttpResponseRedirect(links.landing_page(request, url))
        # The middleware replaces this response with the explanation, as at any URL.
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED)

    def post(self, request: GuardedRequest) -> HttpResponse:
        """Discard the ended session, so that an automatic sign-in can proceed."""
        ended = request.session_limit.ended
        if ended is not None:
            if not use_here.is_chosen(request, ended.pk):
                return HttpResponse(status=HTTPStatus.FORBIDDEN)
            request.session.flush()
        url = posted_data.form(request).get("next")
        return HttpResponseRedirect(links.landing_page(request, url))
