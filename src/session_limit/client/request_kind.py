"""Find out how a client made a request, and what form of answer it wants."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase


def is_acted_on(request: HttpRequest) -> bool:
    """
    Return whether a person sees the answer to ``request``.

    They see a navigation, and not a poll, a prefetch or a part of a page. Browsers send
    the headers for this (Fetch Metadata) only over HTTPS.
    """
    headers = request.headers
    if "prefetch" in headers.get("Sec-Purpose", headers.get("Purpose", "")):
        return False
    mode = headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate"
    return "text/html" in headers.get("Accept", "") and not _is_script(request)


def wants_json(request: HttpRequest, response: HttpResponseBase | None = None) -> bool:
    """
    Return whether the client prefers JSON to a page.

    ``response`` is the view's. Its type decides if the client accepts anything.
    """
    accept = request.headers.get("Accept", "")
    if "text/html" in accept or "json" in accept:
        preferred = request.get_preferred_type(["text/html", "application/json"])
        # Any other type with "json" in it, such as application/vnd.api+json, is JSON.
        return preferred != "text/html"
    # fetch() and most clients accept anything. They get JSON if the view answered in
    # JSON, if the client sent JSON, or if it is a script.
    chosen = "" if response is None else response.headers.get("Content-Type", "")
    is_json = "application/json" in {chosen.partition(";")[0], request.content_type}
    return is_json or _is_script(request)


def _is_script(request: HttpRequest) -> bool:
    headers = request.headers
    return (
        headers.get("Sec-Fetch-Dest") == "empty"
        or headers.get("X-Requested-With") == "XMLHttpRequest"
        or is_htmx(request)
    )


def is_htmx(request: HttpRequest) -> bool:
    """Return whether htmx sent ``request``."""
    return request.headers.get("HX-Request") == "true"
