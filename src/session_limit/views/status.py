"""The view that open pages poll to find out whether their session is still live."""

from __future__ import annotations

from typing import cast

from django.http import JsonResponse

from session_limit.pages import endings, json_answers, links
from session_limit.request import GuardedRequest
from session_limit.store.guarded import GuardedSession
from session_limit.store.state import state_of
from session_limit.views.base import PublicView


class StatusView(PublicView):
    """
    The JSON view that reports whether a session is live, has ended or does not exist.

    Requests to this view do not count as activity and delete no cookie, because open
    pages send the requests without any action by the user.
    """

    http_method_names = ["get", "head"]

    def get(self, request: GuardedRequest) -> JsonResponse:
        """Return the session's status as JSON, always with the HTTP status code 200."""
        answer = self._answer(request)
        session, state = cast("GuardedSession", request.session), state_of(request)
        if state is not None and not state.sign_in.adopted:
            session.leave_untouched()
        return answer

    def _answer(self, request: GuardedRequest) -> JsonResponse:
        # Read the user first, which ends the session if the credentials have changed.
        is_signed_in = request.user.is_authenticated
        state = state_of(request)
        row = state.row if state is not None else None
        if is_signed_in and row is not None:
            return json_answers.answer("live", session=row.id)
        ended = request.session_limit.ended if state is not None else None
        if state is None or not state.found.is_ended:
            return json_answers.answer("nobody")
        sign_in_url = links.sign_in_url(request, links.calling_page(request))
        return json_answers.session_ended(endings.ended_session(ended), sign_in_url)
