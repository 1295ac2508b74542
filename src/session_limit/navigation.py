"""How a request was made, what kept it out, and where it may go next."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme

ENDED_VIEW = "session_limit:ended"
REDIRECTS = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)


def is_barred(response: HttpResponseBase) -> bool:
    """
    Whether ``response`` keeps an anonymous visitor out: a 401, a 403, or a redirect
    to where they can sign in.
    """
    is_denied = response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    return is_denied or sign_in_redirect(response) is not None


def sign_in_redirect(response: HttpResponseBase) -> str | None:
    """
    Return where ``response`` redirects to, if that address says where to go ``next``
    or is the sign-in page's.
    """
    location = response.headers.get("Location", "")
    if response.status_code not in REDIRECTS or not location:
        return None
    target = urlsplit(location)
    page = _sign_in_page()
    if REDIRECT_FIELD_NAME in parse_qs(target.query):
        return location
    return location if page and target.path == urlsplit(page).path else None


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


def wants_json(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether the client is better served with JSON than with a page."""
    accept = request.headers.get("Accept", "")
    if "text/html" in accept or "json" in accept:
        preferred = request.get_preferred_type(["text/html", "application/json"])
        # None of the two: a media type of its own (application/vnd.api+json).
        return preferred != "text/html"
    # Anything will do (fetch() and most clients): the form that the view chose, or
    # what a script can read.
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
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


def page_for_htmx(request: HttpRequest) -> str:
    """Return where htmx goes: the page that says why, and then back to this one."""
    back = _local(request, request.headers.get("HX-Current-URL", ""))
    url = ended_url()
    return sign_in_url(back) if url is None else _with_next(url, back)


def way_back(request: HttpRequest) -> str | None:
    """
    Return the page that was asked for, or posted from: where "Use here instead"
    returns to.
    """
    match = request.resolver_match
    if match is not None and match.view_name == ENDED_VIEW:
        return _local(request, request.GET.get(REDIRECT_FIELD_NAME, ""))
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    return calling_page(request)


def calling_page(request: HttpRequest) -> str | None:
    """Return the page of this site that ``request`` comes from, if it says."""
    return _local(request, request.headers.get("Referer", ""))


def next_url(request: HttpRequest, data: QueryDict) -> str:
    """Return where ``data`` asks to go next, if that is within this site."""
    url = _local(request, data.get(REDIRECT_FIELD_NAME, ""))
    return url or resolve_url(settings.LOGIN_REDIRECT_URL)


def sign_in_url(back: str | None) -> str:
    """Return the sign-in page's address, returning to ``back``."""
    page = _sign_in_page()
    # A page that says why is better than the error of a LOGIN_URL that is not there.
    return (back or "/") if page is None else _with_next(page, back)


def ended_url() -> str | None:
    """Return the address that says why, where the project includes our urls."""
    try:
        return reverse(ENDED_VIEW)
    except NoReverseMatch:
        return None


def _sign_in_page() -> str | None:
    try:
        return resolve_url(settings.LOGIN_URL)
    except NoReverseMatch:
        return None


def _local(request: HttpRequest, url: str) -> str | None:
    """Return ``url`` without its host, if it is one of this site's."""
    is_ours = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    if not is_ours:
        return None
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


def _with_next(url: str, back: str | None) -> str:
    if back is None:
        return url
    separator = "&" if urlsplit(url).query else "?"
    return f"{url}{separator}{urlencode({REDIRECT_FIELD_NAME: back})}"
