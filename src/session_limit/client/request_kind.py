"""Find out how a client made a request, and which response format the client wants."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase


def is_acted_on(request: HttpRequest) -> bool:
    """
    Return whether a person will see the response to ``request``.

    People see responses to navigation, but not to polls, prefetches or requests for
    parts of a page. Browsers send headers that distinguish these requests (Fetch
    Metadata) only over HTTPS. Without Fetch Metadata, this function uses other headers.
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
    Return whether the client prefers JSON to an HTML page.

    A client that accepts any type gets JSON if the client is a script, if the request
    contains JSON, or if the view's ``response`` is JSON.
    """
    accept = request.headers.get("Accept", "")
    if "text/html" in accept or "json" in accept:
        preferred = request.get_preferred_type(["text/html", "application/json"])
        # Any other type that contains "json", such as application/vnd.api+json, is
        # JSON.
        return preferred != "text/html"
    # fetch() and most clients accept any type.
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
    """Return whether the htmx library sent ``request``."""
    return request.headers.get("HX-Request") == "true"
