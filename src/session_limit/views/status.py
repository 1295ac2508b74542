"""What an open page asks, again and again: whether its session is live still."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.decorators import login_not_required
from django.http import JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from session_limit.pages import endings, json_answers, links
from session_limit.store.guarded import GuardedSession
from session_limit.store.request import GuardedRequest
from session_limit.store.state import state_of


@method_decorator([login_not_required, never_cache], name="dispatch")
class StatusView(View):
    """
    Says how the session stands, in JSON and in three words at most. No activity, and no
    answer of its own takes a cookie away: a page that is merely open asks it.
    """

    http_method_names = ["get", "head"]

    def get(self, request: GuardedRequest) -> JsonResponse:
        """Answer 200, however it stands."""
        answer = self._answer(request)
        session, state = cast("GuardedSession", request.session), state_of(request)
        if state is not None and not state.adopted:
            session.leave_untouched()
        return answer

    def _answer(self, request: GuardedRequest) -> JsonResponse:
        # Asked first: it ends a session whose credentials were changed.
        is_signed_in = request.user.is_authenticated
        state = state_of(request)
        row = state.row if state is not None else None
        if is_signed_in and row is not None:
            return json_answers.answer("live", session=row.id)
        ended = request.session_limit.ended if state is not None else None
        if state is None or not state.ended:
            return json_answers.answer("nobody")
        sign_in_url = links.sign_in_url(links.calling_page(request))
        return json_answers.session_ended(endings.ended_session(ended), sign_in_url)
