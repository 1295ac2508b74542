"""Define the package's middleware, which leaves all decisions to other modules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

if not apps.is_installed("session_limit"):
    # The package's system checks do not run if the app is not installed, and the error
    # that its models raise would not name the cause.
    raise ImproperlyConfigured(
        "SessionLimitMiddleware needs its app: add 'session_limit' to INSTALLED_APPS, "
        "after 'django.contrib.auth'."
    )

from session_limit.pages.static_files import notice_unserved
from session_limit.request import GuardedRequest, guard
from session_limit.store import database_conflicts, response_phase, second_pass
from session_limit.store.second_pass import Replacement

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class SessionLimitMiddleware:
    """
    Middleware that empties ended sessions and explains in responses why they ended.

    The middleware also explains refused sign-ins and provides
    ``request.session_limit``. List the middleware directly below ``SessionMiddleware``.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
            # Django would call a sync method in a thread, in every request.
            self.process_view = self.aprocess_view  # type: ignore[method-assign,assignment]

    def __call__(
        self, request: HttpRequest
    ) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        guard(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        if response_phase.begin(request, response):
            response = self.answer(cast("GuardedRequest", request), response)
        if response.status_code == HTTPStatus.NOT_FOUND:
            notice_unserved(request)
        return response

    def answer(
        self, request: GuardedRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Return the response to send, which may be a page in place of ``response``."""
        answer = response_phase.finish(request, response)
        if not isinstance(answer, Replacement):
            return answer
        second = self.get_response(request)
        assert isinstance(second, HttpResponseBase)
        return response_phase.complete(request, answer, second)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        guard(request)
        pending = self.get_response(request)
        assert not isinstance(pending, HttpResponseBase)
        response = await pending
        if response_phase.begin(request, response):
            response = await self.aanswer(cast("GuardedRequest", request), response)
        if response.status_code == HTTPStatus.NOT_FOUND:
            notice_unserved(request)
        return response

    async def aanswer(
        self, request: GuardedRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Asynchronous version of ``answer()``."""
        answer = await sync_to_async(response_phase.finish)(request, response)
        if not isinstance(answer, Replacement):
            return answer
        second = self.get_response(request)
        assert not isinstance(second, HttpResponseBase)
        complete = sync_to_async(response_phase.complete)
        return await complete(request, answer, await second)

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        """
        Return the page that replaces a view's response, or ``None`` to call the view.

        There is such a page only while the middleware calls ``get_response()`` for the
        second time. Django calls this method before those of the middleware further
        in, so these do not refuse the page.
        """
        return second_pass.page_for(request)

    async def aprocess_view(
        self, request: HttpRequest, *view: object
    ) -> HttpResponse | None:
        """Asynchronous version of ``process_view()``."""
        return second_pass.page_for(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        """
        Return a 503 response if a database conflict interrupted a sign-in.

        A lock timeout counts as a conflict. The response asks the client to try again,
        because the package cannot repeat a transaction of the project. Return ``None``
        for any other exception.

        Django calls this method for errors in a view, and for errors at the commit of
        the view's ``ATOMIC_REQUESTS`` transaction.
        """
        if database_conflicts.concerns_us(request, exception):
            return database_conflicts.retry(request)
        return None
