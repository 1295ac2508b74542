"""The middleware, which decides nothing itself and serves sync and async requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

if not apps.is_installed("session_limit"):
    # The package's system checks do not run then, and the error of its models would not
    # name the cause.
    raise ImproperlyConfigured(
        "SessionLimitMiddleware needs its app: add 'session_limit' to INSTALLED_APPS, "
        "after 'django.contrib.auth'."
    )

from session_limit.request import GuardedRequest, SessionLimit
from session_limit.store import database_conflicts, response_phase
from session_limit.store.guarded import install
from session_limit.store.state import CONNECTION, set_answered

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class SessionLimitMiddleware:
    """
    Guard ``request.session``, provide ``request.session_limit``, and answer requests
    with an ended session or a refused sign-in.

    List it directly below ``SessionMiddleware``.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        guarded = self.prepare(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        if response_phase.is_needed(request, response):
            response = response_phase.finish(guarded, response)
        set_answered(request)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        guarded = self.prepare(request)
        pending = self.get_response(request)
        assert not isinstance(pending, HttpResponseBase)
        response = await pending
        if response_phase.is_needed(request, response):
            response = await sync_to_async(response_phase.finish)(guarded, response)
        set_answered(request)
        return response

    def prepare(self, request: HttpRequest) -> GuardedRequest:
        """Guard the session, without loading it, and return the request."""
        install(request)
        guarded = cast("GuardedRequest", request)
        guarded.session_limit = SessionLimit(request)
        connection = getattr(request, "scope", {}).get(CONNECTION)
        if connection is not None:
            # SessionGuard identifies the session of a response that streams.
            connection.request = request
        return guarded

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        """
        Ask the client to try again if the database gave up on a sign-in in a
        transaction of the project, which the package cannot repeat.

        Django calls this for errors of a view, and of the commit of its
        ``ATOMIC_REQUESTS`` transaction.
        """
        if database_conflicts.concerns_us(request, exception):
            return database_conflicts.retry(request)
        return None
