"""
Render a page of this package inside the project's middleware.

A page that explains an ending replaces the response of a view. By then, the middleware
further in has finished: a nonce is in its header, messages and tokens are stored. The
package therefore passes the request through that middleware a second time, and returns
the page from ``process_view()``, in place of the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

from session_limit.pages import responses
from session_limit.pages.rendering import Page

if TYPE_CHECKING:
    from http.cookies import Morsel

    from django.contrib.messages.storage.base import BaseStorage

# Attributes of a request: whether the request has reached process_view(), and which
# page process_view() returns during the second pass.
ROUTED = "session_limit_routed"
PAGE = "session_limit_page"

_POLICIES = ("Content-Security-Policy", "Content-Security-Policy-Report-Only")


@dataclass(frozen=True, slots=True)
class Replacement:
    """A page to send in place of ``response``, not rendered yet."""

    page: Page
    response: HttpResponseBase


def page_for(request: HttpRequest) -> HttpResponse | None:
    """
    Return what ``process_view()`` returns for ``request``.

    This is the page in the second pass. In the first pass it is ``None``, so that
    Django calls the view.
    """
    attributes = vars(request)
    attributes[ROUTED] = True
    page: Page | None = attributes.pop(PAGE, None)
    return page


def begin(request: HttpRequest, page: Page, response: HttpResponseBase) -> bool:
    """
    Prepare ``request`` for the rendering of ``page``, which replaces ``response``.

    Return whether there can be a second pass. There can be none if the first pass did
    not reach ``process_view()``: a middleware has answered or raised an error, and
    would do so again.
    """
    attributes = vars(request)
    messages: BaseStorage | None = getattr(request, "_messages", None)
    if messages is not None and messages.used:
        # Nobody has seen the messages that the view has shown, so store them again.
        messages.used, messages.added_new = False, True
        messages.update(response)
    for name, morsel in response.cookies.items():
        if name != settings.SESSION_COOKIE_NAME and not _deletes(morsel):
            # A browser that follows a redirect would send this cookie.
            request.COOKIES[name] = morsel.value
    # The view decides whether other sites may show its address in a frame.
    if "X-Frame-Options" in response.headers:
        page.headers["X-Frame-Options"] = response.headers["X-Frame-Options"]
    if getattr(response, "xframe_options_exempt", False):
        vars(page)["xframe_options_exempt"] = True
    if ROUTED not in attributes:
        return False
    # AuthenticationMiddleware must look the user up again.
    for name in ("_cached_user", "_acached_user"):
        attributes.pop(name, None)
    attributes[PAGE] = page
    return True


def finish(
    request: HttpRequest, replacement: Replacement, second: HttpResponseBase
) -> HttpResponseBase:
    """
    Return the response to send, after the second pass has returned ``second``.

    A middleware may have answered instead of passing the page on. The page is then
    rendered outside the middleware.
    """
    page, is_reached = replacement.page, vars(request).pop(PAGE, None) is None
    answer = second
    if not is_reached or second.status_code != page.status_code:
        answer = render_outside(request, page, replacement.response)
    for other in (page, second, replacement.response):
        responses.replace(other, answer)
    return answer


def render_outside(
    request: HttpRequest, page: Page, response: HttpResponseBase
) -> Page:
    """
    Render ``page`` after the middleware has finished, and return the page.

    Do what ``CsrfViewMiddleware`` and ``MessageMiddleware`` do after a view has
    rendered a page. ``page`` replaces ``response``.
    """
    # The header of this policy names the nonces of another body.
    page.is_plain = any(policy in response.headers for policy in _POLICIES)
    if hasattr(request, "_messages"):
        middleware = MessageMiddleware(_no_view)
        middleware.process_request(request)
        page.render()
        middleware.process_response(request, page)
    else:
        page.render()
    CsrfViewMiddleware(_no_view).process_response(request, page)
    return page


def _no_view(request: HttpRequest) -> HttpResponseBase:
    raise NotImplementedError


def _deletes(morsel: Morsel[Any]) -> bool:
    return str(morsel["max-age"]) == "0"
