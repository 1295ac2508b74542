"""The page for choosing a session to end when a sign-in exceeds the session limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth import login
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpResponse, HttpResponseRedirect

from session_limit.client import request_kind
from session_limit.models import PendingSignIn
from session_limit.pages import after_sign_in, chooser, json_answers, links, responses
from session_limit.registry.pending import (
    Choice,
    cancel_pending,
    find_pending,
    rivals_of,
    user_waiting,
)
from session_limit.request import GuardedRequest
from session_limit.store.state import state_of
from session_limit.views.base import PublicView

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class ChooseView(PublicView):
    """The page that asks users at their session limit which session to end."""

    http_method_names = ["get", "head", "post"]
    user: AbstractBaseUser

    def get(self, request: GuardedRequest) -> HttpResponse:
        """Ask which session to end, or sign the user in if the limit now allows it."""
        question = self._question(request)
        if question is None:
            return self._nothing_asked(request)
        limit = question.limit
        is_free = limit is None or question.rivals.count < limit
        is_visit = request.method == "GET" and request_kind.is_acted_on(request)
        if is_free and is_visit:
            return self._sign_in(request, question.pending, frozenset())
        return responses.asked(request, HttpResponse(), question)

    def post(self, request: GuardedRequest) -> HttpResponse:
        """End the chosen sessions and sign the user in, or cancel the sign-in."""
        question = self._question(request)
        if question is None:
            return self._nothing_asked(request)
        made = chooser.posted(request)
        if not chooser.is_code(made.code, question.secret):
            # The form belongs to an earlier sign-in in this browser.
            return responses.asked(request, HttpResponse(), question)
        if made.is_cancelled:
            cancel_pending(question.pending)
            response = HttpResponseRedirect(links.sign_in_url(request, None))
            chooser.delete_cookie(request, response)
            return response
        return self._sign_in(request, question.pending, made.chosen)

    def _question(self, request: GuardedRequest) -> chooser.Question | None:
        browser = chooser.browser(request)
        pending = find_pending(browser)
        user = user_waiting(pending) if pending is not None else None
        if pending is None or browser.secret is None or user is None:
            return None
        self.user = user
        limit, rivals = rivals_of(pending, user)
        return chooser.Question(pending, browser.secret, limit, rivals)

    def _nothing_asked(self, request: GuardedRequest) -> HttpResponse:
        state = state_of(request)
        sign_in = state.sign_in if state is not None else None
        if sign_in is not None and sign_in.admitted and sign_in.choice is not None:
            # A middleware has completed the pending sign-in during this request.
            return self._signed_in(request, sign_in.choice.pending)
        if request.session_limit.current is not None:
            url = links.landing_page(request, request.GET.get("next"))
            return HttpResponseRedirect(url)
        return responses.no_pending_sign_in(request, HttpResponse())

    def _sign_in(
        self,
        request: GuardedRequest,
        pending: PendingSignIn,
        chosen: frozenset[UUID] | None,
    ) -> HttpResponse:
        state = state_of(request)
        if state is not None:
            state.sign_in.choice = Choice(pending, chosen)
        # If login() refuses the sign-in, the middleware asks again.
        login(request, cast("User", self.user), backend=pending.backend)
        return self._signed_in(request, pending)

    def _signed_in(
        self, request: GuardedRequest, pending: PendingSignIn
    ) -> HttpResponse:
        url = after_sign_in.stored_address(request, pending.next)
        if request_kind.wants_json(request, HttpResponse()):
            return json_answers.answer("signed_in", next=url)
        return HttpResponseRedirect(url)
