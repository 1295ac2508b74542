"""
Your sessions: seeing them, ending one, ending all others. A page or JSON, from the same
calls of the registry.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render, resolve_url
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.encoding import escape_uri_path
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from session_limit import registry
from session_limit.client import posted_data, request_kind
from session_limit.conf import conf
from session_limit.models import UserSession, parse_uuid
from session_limit.pages import json_answers, links
from session_limit.pages.overview import PAGE, Overview, others_than, told_of
from session_limit.rules import get_rules
from session_limit.store.request import GuardedRequest
from session_limit.utils.safe_redirects import LocalAddress, local_address, own_address
from session_limit.views.forms import PasswordForm

REVOKED = UserSession.Reason.REVOKED


def _wants_json(request: HttpRequest) -> bool:
    # htmx swaps in what the page says.
    return request_kind.wants_json(request) and not request_kind.is_htmx(request)


# Not Django's login_required() or its middleware: JSON is answered in JSON.
@method_decorator(
    [
        never_cache,
        csrf_protect,
        login_not_required,
        sensitive_post_parameters("password"),
    ],
    name="dispatch",
)
class _OwnView(View):
    """For who is signed in by a session, which is the ``current`` one."""

    request: GuardedRequest
    user: AbstractBaseUser
    current: UserSession

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Raises ``ImproperlyConfigured`` where our middleware is missing."""
        if not hasattr(request, "session_limit"):
            raise ImproperlyConfigured(
                "This page needs session_limit.middleware.SessionLimitMiddleware."
            )
        request = cast("GuardedRequest", request)
        current = request.session_limit.current
        # Not somebody's who is shown another's account, or is known by a token.
        if current is None or current.user_id != request.user.pk:
            if _wants_json(request):
                return json_answers.answer(
                    "not_signed_in", status=HTTPStatus.UNAUTHORIZED
                )
            back = own_address(request) or resolve_url(settings.LOGIN_REDIRECT_URL)
            return redirect_to_login(back)
        self.current = current
        self.user = cast("AbstractBaseUser", request.user)
        return super().dispatch(request, *args, **kwargs)


class ListView(_OwnView):
    """Shows an account its sessions."""

    def get(self, request: GuardedRequest) -> HttpResponse:
        """
        Answer the page ``?page=<number>``. With ``?done=<id>`` it says what has just
        been done.
        """
        overview = Overview.of(self.user, self.current, request.GET.get("page"))
        urls = {
            "next_url": self._url_of(overview.next_page),
            "previous_url": self._url_of(overview.previous_page),
        }
        if _wants_json(request):
            return json_answers.overview(overview, **urls)
        done = parse_uuid(request.GET.get("done"))
        context = {
            **urls,
            "current": None if overview.previous_page else overview.current,
            "others": overview.others,
            "count": overview.count,
            "ended": overview.ended,
            "limit": overview.limit,
            "in_use": overview.in_use,
            "retention": conf.retention,
            "done": told_of(self.user, done) if done is not None else "",
        }
        return render(request, "session_limit/sessions.html", context)

    def _url_of(self, page: int | None) -> str | None:
        if page is None:
            return None
        done = parse_uuid(self.request.GET.get("done"))
        query = {"page": page} if done is None else {"page": page, "done": done}
        return f"{reverse(links.LIST_VIEW)}?{urlencode(query)}"


class EndView(_OwnView):
    """
    Ends the session with an ``id``, or without one all others: asks on GET, acts on
    POST. To end others than one's own, credentials have to be fresh.
    """

    def get(self, request: GuardedRequest, id: UUID | None = None) -> HttpResponseBase:
        """Ask, and for the password where that is needed."""
        if _wants_json(request):
            return HttpResponseNotAllowed(["POST"])
        targets = self._targets(id)
        if not any(row.is_live for row in targets):
            return self._done(targets)
        if self._may_end(targets):
            return self._ask(targets)
        url = self._reauthentication_url()
        form = PasswordForm(request, self.user) if url is None else None
        return self._ask(targets, form, url)

    def post(self, request: GuardedRequest, id: UUID | None = None) -> HttpResponseBase:
        """End, if need be with the password that comes with it. Idempotent."""
        try:
            targets = self._targets(id)
        except Http404:
            if not _wants_json(request):
                raise
            return json_answers.answer("not_found", status=HTTPStatus.NOT_FOUND)
        if id == self.current.pk:
            return self._sign_out()
        if any(row.is_live for row in targets) and not self._may_end(targets):
            refusal = self._reauthenticate(targets)
            if refusal is not None:
                return refusal
        ended = (
            registry.end_others(self.user, self.current.pk, REVOKED, by=self.user)
            if id is None
            else registry.end([id], REVOKED, by=self.user)
        )
        if _wants_json(request):
            return json_answers.answer(ended=[row.pk for row in ended])
        return self._done(ended or targets)

    def _targets(self, id: UUID | None) -> list[UserSession]:
        """
        Return the session with this ``id``, or as many of all others as a page lists.
        The session may have ended. Raises ``Http404`` if the account has none such.
        """
        if id is None:
            others = others_than(self.current).order_by("-last_active_at", "-pk")
            return list(others[:PAGE])
        if id == self.current.pk:
            return [self.current]
        sessions = UserSession.objects.primary().for_user(self.user)
        return [get_object_or_404(sessions, pk=id)]

    def _may_end(self, targets: list[UserSession]) -> bool:
        return targets == [self.current] or get_rules().is_fresh(
            self.user, self.current, self.request
        )

    def _reauthentication_url(self) -> str | None:
        request = self.request
        # Back to the page whose script asked, not to what it asked for.
        back = links.calling_page(request) if _wants_json(request) else None
        back = back or self._own_path()
        url = back or reverse(links.LIST_VIEW)
        return get_rules().reauthentication_url(self.user, request, url)

    def _own_path(self) -> LocalAddress | None:
        """Return the address of this page without its query, if it can be linked to."""
        return local_address(self.request, escape_uri_path(self.request.path))

    @sensitive_variables()
    def _reauthenticate(self, targets: list[UserSession]) -> HttpResponseBase | None:
        """Return the answer where credentials have yet to be given."""
        url = self._reauthentication_url()
        data = posted_data.posted(self.request) if url is None else {}
        form = PasswordForm(
            self.request, self.user, data if "password" in data else None
        )
        if form.is_valid():
            return self._renew(form.user)
        if not _wants_json(self.request):
            return self._ask(targets, form if url is None else None, url)
        code = "wrong_password" if form.is_bound else "reauthentication_required"
        return json_answers.answer(
            code, status=HTTPStatus.FORBIDDEN, reauthentication_url=url
        )

    def _renew(self, user: Any) -> HttpResponse | None:
        """Go on under another key (ASVS 7.2.4), with what a new hash verifies."""
        session = self.request.session
        is_live = registry.reauthenticated(self.current.pk, session, user)
        update_session_auth_hash(self.request, user)
        # It ended under this request, and the middleware says why.
        return None if is_live else HttpResponse(status=HTTPStatus.UNAUTHORIZED)

    def _sign_out(self) -> HttpResponse:
        logout(self.request)
        if _wants_json(self.request):
            return json_answers.answer(ended=[self.current.pk])
        return _see_other(
            resolve_url(settings.LOGOUT_REDIRECT_URL or settings.LOGIN_URL)
        )

    def _done(self, ended: list[UserSession]) -> HttpResponse:
        url = reverse(links.LIST_VIEW)
        return _see_other(f"{url}?{urlencode({'done': ended[0].pk})}" if ended else url)

    def _ask(
        self,
        targets: list[UserSession],
        form: PasswordForm | None = None,
        url: str | None = None,
    ) -> HttpResponse:
        is_all_others = "id" not in self.kwargs
        count = others_than(self.current).count() if is_all_others else 1
        context = {
            "targets": targets,
            "count": count,
            "more": max(0, count - len(targets)),
            "is_own": targets == [self.current],
            "is_all_others": is_all_others,
            "form": form,
            "reauthentication_url": url,
            # An empty action posts to the address that the browser shows.
            "action": self._own_path() or "",
            "cancel_url": reverse(links.LIST_VIEW),
        }
        return render(self.request, "session_limit/confirm_end.html", context)


def _see_other(url: str) -> HttpResponse:
    return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)
