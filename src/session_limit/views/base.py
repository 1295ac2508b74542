"""
Base classes for the package's views.

The views are exempt from Django's ``LoginRequiredMiddleware``, which would redirect
clients that expect JSON to a login page.
"""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from session_limit.client import request_kind
from session_limit.models import UserSession
from session_limit.pages import messages
from session_limit.pages.json_answers import answer
from session_limit.pages.rendering import Page
from session_limit.request import GuardedRequest
from session_limit.store.liveness import Row
from session_limit.store.state import state_of
from session_limit.utils.safe_redirects import own_address


class _SessionDeletedError(Exception):
    """The ``UserSession`` row was deleted while the request was being served."""


public = method_decorator(
    [csrf_exempt, login_not_required, never_cache], name="dispatch"
)


@public
class PublicView(View):
    """
    A base class for views that do not require the user to be signed in.

    These views are exempt from Django's CSRF protection. A subclass that accepts POST
    must check a code that only the browser with the right cookie receives.
    """


@method_decorator(
    [
        never_cache,
        csrf_protect,
        login_not_required,
        sensitive_post_parameters("password"),
    ],
    name="dispatch",
)
class OwnerView(View):
    """
    A base class for views that serve only the signed-in owner of a session.

    The view refuses requests authenticated by a token, and requests from an
    administrator who acts as another user, for example with django-impersonate. The
    response is a 403, because a sign-in page might lead straight back. ``row`` holds
    the columns of the session's database row that the request has read.
    """

    request: GuardedRequest
    user: AbstractBaseUser
    row: Row

    def dispatch(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """
        Respond to the owner of the session, and refuse any other request.

        Raises ``ImproperlyConfigured`` if ``SessionLimitMiddleware`` is not installed.
        """
        if not hasattr(request, "session_limit"):
            raise ImproperlyConfigured(
                "This page needs session_limit.middleware.SessionLimitMiddleware."
            )
        try:
            return self.refusal() or super().dispatch(request, *args, **kwargs)
        except _SessionDeletedError:
            return self._not_signed_in()
        except BadRequest as error:
            if not self.wants_json:
                raise
            status = HTTPStatus.BAD_REQUEST
            return answer("bad_request", status=status, detail=str(error))

    @property
    def wants_json(self) -> bool:
        """Whether the client expects JSON instead of HTML."""
        # htmx inserts the response into the page, so it needs HTML.
        request = self.request
        return request_kind.wants_json(request) and not request_kind.is_htmx(request)

    @cached_property
    def current(self) -> UserSession:
        """The ``UserSession`` of this request, read from the database on first use."""
        session = self.request.session_limit.current
        if session is None:
            raise _SessionDeletedError
        return session

    def refusal(self) -> HttpResponseBase | None:
        """Return the response if the request must be refused, otherwise ``None``."""
        # Read the user first, which ends the session if the credentials have changed.
        user = self.request.user
        is_signed_in = user.is_authenticated
        state = state_of(self.request) if is_signed_in else None
        row = state.row if state is not None else None
        if row is None or row.user_id != user.pk:
            return self._not_owner() if is_signed_in else self._not_signed_in()
        self.user, self.row = cast("AbstractBaseUser", user), row
        return None

    def _not_owner(self) -> HttpResponseBase:
        """Return a 403 response to a user who is not signed in by their own session."""
        told, status = messages.not_owner(), HTTPStatus.FORBIDDEN
        if self.wants_json:
            return answer("not_owner", detail=told.text, status=status)
        page = Page(self.request, "session_limit/not_owner.html", {"told": told})
        page.status_code = status
        return page

    def _not_signed_in(self) -> HttpResponseBase:
        # If the session has ended, the middleware replaces this with an explanation.
        if self.wants_json:
            return answer("not_signed_in", status=HTTPStatus.UNAUTHORIZED)
        back = own_address(self.request) or resolve_url(settings.LOGIN_REDIRECT_URL)
        return redirect_to_login(back)
