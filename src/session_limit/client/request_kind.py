"""Find out how a client made a request, and what form of answer it wants."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase


def is_acted_on(request: HttpRequest) -> bool:
    """
    Whether a person sees the answer to ``request``: a navigation, and not a poll, a
    prefetch or part of a page. Browsers say so in Fetch Metadata, over HTTPS.
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
    Whether the client is better served with JSON than with a page, which ``response``
    may be.
    """
    accept = request.headers.get("Accept", "")
    if "text/html" in accept or "json" in accept:
        preferred = request.get_preferred_type(["text/html", "application/json"])
        # None of the two: a media type of its own (application/vnd.api+json).
        return preferred != "text/html"
    # Anything will do (fetch() and most clients): the form that the view chose, or
    # that the client did, or what a script can read.
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
    """Whether htmx asks."""
    return request.headers.get("HX-Request") == "true"
