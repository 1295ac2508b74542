"""
Find out how a client made a request, and which response format the client wants.

Browsers describe a request in headers (Fetch Metadata), but only over HTTPS, and Safari
only since version 16.4. A page that a person sees is not always a navigation: service
workers, Turbo, htmx and Unpoly fetch whole pages with scripts. All these decisions are
in this module, and ``tests/request_kinds`` holds recorded headers for each of them.
"""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from session_limit.utils.safe_redirects import local_address

# Browsers use these names for the pages inside other pages.
_FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})

# Libraries send these headers with requests for a part of a page. PJAX and Inertia load
# the whole page again if they do not understand the response.
_PART_HEADERS = ("Turbo-Frame", "X-PJAX", "X-Inertia", "X-Alpine-Request")
# Unpoly names the elements to replace. These elements stand for the whole page.
_UNPOLY_PAGE = re.compile(r"(^|[\s,:])(main|body|html|layer)($|[\s,])|\[up-main\b")


def is_acted_on(request: HttpRequest) -> bool:
    """
    Return whether a person will see the response to ``request`` as a page.

    People see responses to navigation, including navigation that a service worker or a
    library such as Turbo performs. People do not see responses to polls, prefetches,
    ``HEAD`` requests or requests for parts of a page.
    """
    headers = request.headers
    if _is_unseen(request) or any(name in headers for name in _PART_HEADERS):
        return False
    if is_htmx(request):
        return _is_page_of_htmx(request)
    if "X-Up-Target" in headers:
        return _UNPOLY_PAGE.search(headers["X-Up-Target"]) is not None
    is_xhr = headers.get("X-Requested-With") == "XMLHttpRequest"
    return not is_xhr and _is_navigation(request)


def shows_explanation(request: HttpRequest) -> bool:
    """
    Return whether a person will read an explanation in the response to ``request``.

    htmx does not show a response with an error. It opens another page instead, which
    shows the explanation. A page in a frame may be hidden, as in silent single sign-on.
    """
    is_framed = request.headers.get("Sec-Fetch-Dest") in _FRAMES
    return is_acted_on(request) and not is_framed and not is_htmx(request)


def is_in_background(request: HttpRequest) -> bool:
    """
    Return whether a page's script sent ``request`` without a person's doing.

    The request must say so in its headers, and its method must be safe. Apps and other
    clients that are not browsers send no such headers. A prefetch counts as well.
    """
    if request.method not in {"GET", "HEAD"}:
        return False
    is_declared = _is_script(request) or _is_prefetch(request)
    return is_declared and not is_acted_on(request)


def is_opened_by_person(request: HttpRequest) -> bool:
    """
    Return whether ``request`` may be a person's own visit to a page of this site.

    Return ``False`` for a prefetch or a ``HEAD`` request, and for a request by a frame
    or a script. Requests without Fetch Metadata may be a person's visit.
    """
    target = request.headers.get("Sec-Fetch-Dest", "document")
    if target in _FRAMES or _is_unseen(request):
        return False
    return target == "document" or is_acted_on(request)


def is_from_another_site(request: HttpRequest) -> bool:
    """
    Return whether a page of another site led the browser here.

    Browsers then send no cookie with ``SameSite=Strict``. With a form that was posted,
    browsers send no cookie with ``SameSite=Lax`` either.
    """
    # Each sign-in asks, and request.headers would first convert all headers.
    meta = request.META
    site, mode = meta.get("HTTP_SEC_FETCH_SITE"), meta.get("HTTP_SEC_FETCH_MODE")
    if site is not None:
        return bool(site == "cross-site" and mode == "navigate")
    origin = meta.get("HTTP_ORIGIN")
    if request.method != "POST" or origin is None:
        return False
    return local_address(request, f"{origin}/") is None


def wants_json(request: HttpRequest, response: HttpResponseBase | None = None) -> bool:
    """
    Return whether the client prefers JSON to an HTML page.

    A client that accepts any type gets JSON if the client is a script, if the request
    contains JSON, or if the view's ``response`` is JSON. A script that fetches a page
    for a person gets HTML.
    """
    accept = request.headers.get("Accept", "")
    if "text/html" in accept or "json" in accept:
        preferred = request.get_preferred_type(["text/html", "application/json"])
        # Any other type that contains "json", such as application/vnd.api+json, is
        # JSON.
        return preferred != "text/html"
    if is_acted_on(request):
        return False
    # fetch() and most clients accept any type.
    chosen = "" if response is None else response.headers.get("Content-Type", "")
    is_json = "application/json" in {chosen.partition(";")[0], request.content_type}
    return is_json or _is_script(request)


def is_htmx(request: HttpRequest) -> bool:
    """Return whether the htmx library sent ``request``."""
    return request.headers.get("HX-Request") == "true"


def _is_navigation(request: HttpRequest) -> bool:
    """Return whether a browser, a service worker or a script opens a page."""
    headers = request.headers
    mode, accept = headers.get("Sec-Fetch-Mode"), headers.get("Accept", "")
    if mode == "navigate":
        return True
    if "text/html" not in accept or headers.get("Sec-Fetch-Dest", "empty") != "empty":
        return False
    # Browsers and Turbo accept XHTML for a page. fetch() accepts any type by default,
    # and a script that fetches a part of a page usually accepts only HTML.
    is_like_navigation = mode == "cors" and "application/xhtml+xml" in accept
    return mode in {None, "same-origin"} or is_like_navigation


def _is_page_of_htmx(request: HttpRequest) -> bool:
    headers = request.headers
    # htmx sends the first header with a link that it follows, the second to restore a
    # page from its history, and the third for any page since version 4.
    return (
        headers.get("HX-Boosted") == "true"
        or headers.get("HX-History-Restore-Request") == "true"
        or headers.get("HX-Request-Type") == "full"
    )


def _is_unseen(request: HttpRequest) -> bool:
    # The response to a HEAD request has no body.
    return request.method == "HEAD" or _is_prefetch(request)


def _is_prefetch(request: HttpRequest) -> bool:
    # Turbo, and Safari and Firefox before Sec-Purpose, use headers of their own.
    names = ("Sec-Purpose", "X-Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
    sent = " ".join(request.headers.get(name, "") for name in names).lower()
    return "prefetch" in sent or "preview" in sent


def _is_script(request: HttpRequest) -> bool:
    headers = request.headers
    return (
        headers.get("Sec-Fetch-Dest") == "empty"
        or headers.get("X-Requested-With") == "XMLHttpRequest"
        or is_htmx(request)
    )
