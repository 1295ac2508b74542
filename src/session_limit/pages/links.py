"""Find the URLs of this package's views, the sign-in page and the page to return to."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, QueryDict
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse

from session_limit.utils.class_based_views import match_at
from session_limit.utils.safe_redirects import (
    LocalAddress,
    local_address,
    own_address,
    with_host,
)

ENDED_VIEW = "session_limit:ended"
CHOOSE_VIEW = "session_limit:choose"
LIST_VIEW = "session_limit:list"
EVENTS_VIEW = "session_limit:events"
STATUS_VIEW = "session_limit:status"
PLAYS_VIEW = "session_limit:plays"
REDIRECTS = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)


def page_for_htmx(request: HttpRequest, *, is_page: bool) -> str:
    """
    Return the URL of the page that htmx should open after the session has ended.

    That page explains why the session ended, and links back to the requested page if
    ``is_page`` is true, or otherwise to the page that requested a part of a page. If
    the project does not include the page that explains, return the URL of the sign-in
    page.
    """
    if is_page and request.method == "GET":
        back = own_address(request)
    else:
        back = local_address(request, request.headers.get("HX-Current-URL", ""))
    return ended_page_url(back) or sign_in_url(request, back)


def return_url(request: HttpRequest) -> LocalAddress | None:
    """
    Return the URL to open after the user has signed in again.

    This is the URL of the requested page, or of the page that posted a form. Return
    ``None`` if that page is not on this site.
    """
    match = request.resolver_match
    if match is not None and match.view_name == ENDED_VIEW:
        return local_address(request, request.GET.get(REDIRECT_FIELD_NAME, ""))
    if request.method in {"GET", "HEAD"}:
        return own_address(request)
    return calling_page(request)


def calling_page(request: HttpRequest) -> LocalAddress | None:
    """Return the referring page's URL, or ``None`` if the page is not on this site."""
    return local_address(request, request.headers.get("Referer", ""))


def landing_page(request: HttpRequest, url: str | None) -> str:
    """Return ``url`` if local to this site, or ``LOGIN_REDIRECT_URL`` otherwise."""
    return local_address(request, url or "") or resolve_url(settings.LOGIN_REDIRECT_URL)


def sign_in_url(request: HttpRequest, back: LocalAddress | None) -> str:
    """
    Return the URL of the sign-in page, with ``back`` as the page to return to.

    If the sign-in page is on another site, ``back`` is given with the host of
    ``request``, as Django's ``login_required`` does.
    """
    page = sign_in_page()
    if page is None:
        # A page with a useless link is better than a failure.
        return back or "/"
    is_elsewhere = local_address(request, page) is None
    url = with_host(request, back) if back and is_elsewhere else back
    return _with_next(page, url, _return_field(page))


def ended_page_url(back: LocalAddress | None) -> str | None:
    """
    Return the URL of the page that explains why a session ended.

    The page links to ``back``. Return ``None`` if the project has no such page.
    """
    url = url_of(ENDED_VIEW)
    return None if url is None else _with_next(url, back)


def is_to(request: HttpRequest, url: str | None) -> bool:
    """Return whether ``url`` is the path of ``request``, and ``False`` for ``None``."""
    # Django unquotes the path of a request, but reverse() returns a quoted URL.
    return url is not None and request.path == unquote(url)


def is_ours(request: HttpRequest) -> bool:
    """Return whether a view of this package serves ``request``."""
    match = request.resolver_match
    return match is not None and match.app_name == "session_limit"


def url_of(view: str) -> str | None:
    """Return the URL of ``view``, or ``None`` if the project has no such URL."""
    try:
        return reverse(view)
    except NoReverseMatch:
        return None


def sign_in_page() -> str | None:
    """Return the URL of ``LOGIN_URL``, or ``None`` if ``LOGIN_URL`` names no view."""
    try:
        return resolve_url(settings.LOGIN_URL)
    except NoReverseMatch:
        return None


def _return_field(page: str) -> str:
    """Return the name of the parameter with which a sign-in page leads back."""
    match = match_at(urlsplit(page).path)
    view = None if match is None else match.func
    named = getattr(view, "view_initkwargs", {}).get("redirect_field_name")
    inherited = getattr(getattr(view, "view_class", None), "redirect_field_name", None)
    return named or inherited or REDIRECT_FIELD_NAME


def _with_next(url: str, back: str | None, field: str = REDIRECT_FIELD_NAME) -> str:
    if back is None:
        return url
    target = urlsplit(url)
    query = QueryDict(target.query, mutable=True)
    query[field] = back
    return target._replace(query=query.urlencode()).geturl()
