"""Restore or send the CSRF token of a browser, as ``CsrfViewMiddleware`` does."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware


def undo_rotation(request: HttpRequest) -> None:
    """
    Restore the CSRF token from before ``login()``, which has generated a new token.

    The forms that the browser shows remain valid. Without an earlier token, the new
    token remains, and a page that contains a form still sends it.
    """
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False
    CsrfViewMiddleware(no_view).process_request(request)


def send(request: HttpRequest, response: HttpResponseBase) -> None:
    """Send the CSRF token with ``response`` if a form has used the token."""
    CsrfViewMiddleware(no_view).process_response(request, response)


def no_view(request: HttpRequest) -> HttpResponseBase:
    """Stand for ``get_response()`` in a middleware that is never called as a whole."""
    raise NotImplementedError
