"""The address that says why, for clients that are sent to a page."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from session_limit.client import posted_data
from session_limit.pages import links, use_here
from session_limit.store.request import GuardedRequest


# The form that posts here has a token of its own: see use_here.py.
@method_decorator([csrf_exempt, login_not_required], name="dispatch")
class EndedView(View):
    """Says why this browser's session ended; "Use here instead" posts to it."""

    http_method_names = ["get", "head", "post"]

    def get(self, request: GuardedRequest) -> HttpResponse:
        """Show the reason, or go on where nothing has ended."""
        if request.session_limit.ended is None:
            return HttpResponseRedirect(links.next_url(request, request.GET))
        # The middleware puts the page in its place, as anywhere else.
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED)

    def post(self, request: GuardedRequest) -> HttpResponse:
        """Forget the ended session, so that signing in may go on by itself."""
        ended = request.session_limit.ended
        if ended is not None:
            if not use_here.is_chosen(request, ended.pk):
                return HttpResponse(status=HTTPStatus.FORBIDDEN)
            request.session.flush()
        return HttpResponseRedirect(links.next_url(request, posted_data.form(request)))
