"""Views that list and end the signed-in user's own sessions, as HTML or JSON."""

from __future__ import annotations

from dataclasses import fields
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth import logout, update_session_auth_hash
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, resolve_url
from django.urls import reverse
from django.utils.encoding import escape_uri_path
from django.views.decorators.debug import sensitive_variables

from session_limit import registry
from session_limit.client import posted_data
from session_limit.conf import conf
from session_limit.models import UserSession, parse_uuid
from session_limit.pages import json_answers, links
from session_limit.pages.json_answers import answer
from session_limit.pages.overview import PAGE, Overview, done_message, others_than
from session_limit.pages.rendering import Page
from session_limit.request import GuardedRequest
from session_limit.rules import get_rules
from session_limit.utils.safe_redirects import LocalAddress, local_address
from session_limit.views.base import OwnerView
from session_limit.views.password_form import PasswordForm

REVOKED = UserSession.Reason.REVOKED


class ListView(OwnerView):
    """The view that lists the signed-in user's sessions as HTML or JSON."""

    def get(self, request: GuardedRequest) -> HttpResponse:
        """
        Return one page of the list of sessions. Defaults to the first page.

        ``?page=<number>`` selects another page. ``?done=<id>`` adds a message that the
        session with this id was ended.
        """
        overview = Overview.of(self.user, self.current, request.GET.get("page"))
        urls = {
            "next_url": self._url_of(overview.next_page),
            "previous_url": self._url_of(overview.previous_page),
        }
        if self.wants_json:
            return json_answers.overview(overview, **urls)
        done = parse_uuid(request.GET.get("done"))
        context = {
            **{field.name: getattr(overview, field.name) for field in fields(overview)},
            **urls,
            "current": None if overview.previous_page else overview.current,
            "retention": conf.retention,
            "done": done_message(self.user, done) if done is not None else "",
        }
        return Page(request, "session_limit/sessions.html", context)

    def _url_of(self, page: int | None) -> str | None:
        if page is None:
            return None
        done = parse_uuid(self.request.GET.get("done"))
        query = {"page": page} if done is None else {"page": page, "done": done}
        return f"{reverse(links.LIST_VIEW)}?{urlencode(query)}"


class EndView(OwnerView):
    """
    The page that ends one of the signed-in user's sessions, or all other sessions.

    GET asks for confirmation. POST ends the session ``id``. Without an id, POST ends
    all sessions except the current one. Users must have authenticated recently to end
    any session except the current one.
    """

    def get(self, request: GuardedRequest, id: UUID | None = None) -> HttpResponseBase:
        """Ask for confirmation. Ask for the password too if the sign-in is too old."""
        if self.wants_json:
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
        """
        End the session ``id``. Without an id, end all other sessions of the user.

        If the last sign-in is too old, the request must contain the user's password.
        Repeating the request has no further effect.
        """
        try:
            targets = self._targets(id)
        except Http404:
            if not self.wants_json:
                raise
            return answer("not_found", status=HTTPStatus.NOT_FOUND)
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
        if self.wants_json:
            return answer(ended=[row.pk for row in ended])
        return self._done(ended or targets)

    def _targets(self, id: UUID | None) -> list[UserSession]:
        """
        Return the session ``id`` or, without an id, other live sessions of the user.

        At most ``PAGE`` sessions are returned. The session ``id`` may have ended.
        Raises ``Http404`` if the user has no session with this id.
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
        # Lead back to the page that runs the script, not to the URL of this request.
        back = links.calling_page(request) if self.wants_json else None
        back = back or self._own_path()
        url = back or reverse(links.LIST_VIEW)
        return get_rules().reauthentication_url(self.user, request, url)

    def _own_path(self) -> LocalAddress | None:
        """Return this page's path, or ``None`` if linking to the path is unsafe."""
        return local_address(self.request, escape_uri_path(self.request.path))

    @sensitive_variables()
    def _reauthenticate(self, targets: list[UserSession]) -> HttpResponseBase | None:
        """Return ``None`` if the password is right, or a response that asks for it."""
        url = self._reauthentication_url()
        data = posted_data.posted(self.request) if url is None else {}
        form = PasswordForm(
            self.request, self.user, data if "password" in data else None
        )
        if form.is_valid():
            return self._renew(form.user)
        if not self.wants_json:
            return self._ask(targets, form if url is None else None, url)
        code = "wrong_password" if form.is_bound else "reauthentication_required"
        return answer(code, status=HTTPStatus.FORBIDDEN, reauthentication_url=url)

    def _renew(self, user: Any) -> HttpResponse | None:
        """Change the session key. Return a 401 response if the session has ended."""
        session = self.request.session
        is_live = registry.reauthenticated(self.current.pk, session, user)
        # ASVS 7.2.4 requires a new session key. The password hash may also be new.
        update_session_auth_hash(self.request, user)
        # The middleware replaces the 401 response with the reason for the ending.
        return None if is_live else HttpResponse(status=HTTPStatus.UNAUTHORIZED)

    def _sign_out(self) -> HttpResponse:
        logout(self.request)
        if self.wants_json:
            return answer(ended=[self.current.pk])
        url = resolve_url(settings.LOGOUT_REDIRECT_URL or settings.LOGIN_URL)
        return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)

    def _done(self, ended: list[UserSession]) -> HttpResponse:
        url = reverse(links.LIST_VIEW)
        url = f"{url}?{urlencode({'done': ended[0].pk})}" if ended else url
        return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)

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
            # An empty action makes the form post to the URL that the browser shows.
            "action": self._own_path() or "",
            "cancel_url": reverse(links.LIST_VIEW),
        }
        return Page(self.request, "session_limit/confirm_end.html", context)
