"""How a request was made, what kept it out, and where it may go next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import BadRequest
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_variables

ENDED_VIEW = "session_limit:ended"
CHOOSE_VIEW = "session_limit:choose"
LIST_VIEW = "session_limit:list"
EVENTS_VIEW = "session_limit:events"
STATUS_VIEW = "session_limit:status"
PLAYS_VIEW = "session_limit:plays"
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


def page_for_htmx(request: HttpRequest) -> str:
    """Return where htmx goes: the page that says why, and then back to this one."""
    back = _local(request, request.headers.get("HX-Current-URL", ""))
    return ended_page_url(back) or sign_in_url(back)


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


@sensitive_variables()
def posted(request: HttpRequest) -> Mapping[str, Any]:
    """Return the fields of a form or of a JSON object. Raises ``BadRequest``."""
    if request.content_type != "application/json":
        return request.POST
    try:
        data = json.loads(request.body or b"{}")
        # Half a character ("\ud800") is no text: nothing can hash or compare it.
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BadRequest("Send a JSON object.")
    return data


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
    return _address(ENDED_VIEW)


def ended_page_url(back: str | None) -> str | None:
    """Return ``ended_url()``, leading on from there to ``back``."""
    url = ended_url()
    return None if url is None else _with_next(url, back)


def choose_url() -> str | None:
    """Return the chooser's address, where the project includes our urls."""
    return _address(CHOOSE_VIEW)


def is_to(request: HttpRequest, url: str | None) -> bool:
    """Whether ``request`` is to ``url``, one of our addresses."""
    # Those are quoted, and the path of a request is not.
    return url is not None and request.path == unquote(url)


def list_url() -> str | None:
    """Return the address of an account's own sessions, where it is included."""
    return _address(LIST_VIEW)


def status_url() -> str | None:
    """Return the address that says how a session stands, where it is included."""
    return _address(STATUS_VIEW)


def events_url() -> str | None:
    """Return the address of the event stream, where it is included."""
    return _address(EVENTS_VIEW)


def plays_url() -> str | None:
    """Return the address where plays are started, where it is included."""
    return _address(PLAYS_VIEW)


def is_ours(request: HttpRequest) -> bool:
    """Whether ``request`` is for one of our own pages."""
    match = request.resolver_match
    return match is not None and match.app_name == "session_limit"


def _address(view: str) -> str | None:
    try:
        return reverse(view)
    except NoReverseMatch:
        return None


def after_sign_in(request: HttpRequest) -> str:
    """
    Return where the sign-in that ``request`` makes was to lead, ``""`` where it does
    not say: to the page asked for, where signing in happens by itself.
    """
    if request.resolver_match is None:
        return "" if is_to(request, choose_url()) else way_back(request) or ""
    asked = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(
        REDIRECT_FIELD_NAME, ""
    )
    return _local(request, asked) or ""


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
    path = urlsplit(url)._replace(scheme="", netloc="").geturl()
    # Without its host, "https://ours//theirs/" is another site's address.
    return path if url_has_allowed_host_and_scheme(path, allowed_hosts=None) else None


def _with_next(url: str, back: str | None) -> str:
    if back is None:
        return url
    separator = "&" if urlsplit(url).query else "?"
    return f"{url}{separator}{urlencode({REDIRECT_FIELD_NAME: back})}"
