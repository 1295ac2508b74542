"""
What a client gets whose session is over, or whose sign-in was refused: a page, JSON,
or what htmx follows, at the address that was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme

from session_limit import audit, texts
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.registry import Admission

ENDED_VIEW = "session_limit:ended"
TOKEN_SALT = "session_limit.use_here"  # noqa: S105 a name


def is_barred(response: HttpResponseBase) -> bool:
    """
    Whether ``response`` keeps an anonymous visitor out: a 401, a 403, or a redirect
    that carries where to go ``next`` or leads to the sign-in page.
    """
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return True
    return _redirects_to_sign_in(response) is not None


def _redirects_to_sign_in(response: HttpResponseBase) -> str | None:
    """Return the sign-in address that ``response`` redirects to, or ``None``."""
    location = response.headers.get("Location", "")
    if not (300 <= response.status_code < 400 and location):
        return None
    target = urlsplit(location)
    carries_next = REDIRECT_FIELD_NAME in parse_qs(target.query)
    if carries_next or target.path == urlsplit(_sign_in_url()).path:
        return location
    return None


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


def ended(
    request: HttpRequest,
    response: HttpResponseBase,
    session: UserSession | None,
    *,
    must_choose: bool = False,
) -> HttpResponse:
    """
    Return the 401 that stands for ``response`` where the session of ``request`` has
    ended: ``session`` is its tombstone, if that is still kept. ``must_choose``:
    signing in would happen by itself, so going on takes a button that posts.
    """
    if session is not None:
        audit.used_after_end(session)
    back = _way_back(request)
    sign_in_url = _redirects_to_sign_in(response) or _with_next(_sign_in_url(), back)
    told = texts.ended(session)
    use_here_url = _reverse_ended() if must_choose and session is not None else None
    context = {
        "told": told,
        "sign_in_url": sign_in_url,
        "use_here_url": use_here_url,
        "back": back,
        "token": use_here_url and session and signing.dumps(session.pk.hex, salt=TOKEN_SALT),
        "secure_account_url": conf.secure_account_url,
    }
    data = {
        "code": "session_ended",
        "reason": told.reason,
        "detail": told.text,
        "ended_at": told.ended_at,
        "device_class": told.device_class,
        "sign_in_url": sign_in_url,
    }
    return _answer(
        request,
        response,
        HTTPStatus.UNAUTHORIZED,
        "session_limit/ended.html",
        context,
        data,
    )


def refused(
    request: HttpRequest, response: HttpResponseBase, admission: Admission
) -> HttpResponse:
    """Return the 403 of a sign-in that met the limit."""
    told = texts.refused(admission)
    context = {"told": told, "back": _way_back(request)}
    data = {
        "code": "session_limit",
        "detail": told.text,
        "limit": admission.limit,
    }
    return _answer(
        request,
        response,
        HTTPStatus.FORBIDDEN,
        "session_limit/refused.html",
        context,
        data,
    )


def retry(request: HttpRequest) -> HttpResponse:
    """Return a 503 that asks to try again in a second."""
    response = HttpResponse(
        texts.RETRY,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": "1"},
    )
    add_never_cache_headers(response)
    return response


def _answer(
    request: HttpRequest,
    response: HttpResponseBase,
    status: HTTPStatus,
    template: str,
    context: Mapping[str, Any],
    data: Mapping[str, Any],
) -> HttpResponse:
    answer: HttpResponse
    if request.headers.get("HX-Request") == "true":
        answer = HttpResponse(status=status)
        if status is HTTPStatus.UNAUTHORIZED:
            # htmx swaps nothing in on an error, and follows this.
            answer["HX-Redirect"] = _page_for_htmx(request)
    elif _wants_json(request, response):
        answer = JsonResponse(dict(data), status=status)
    else:
        page = render_to_string(template, dict(context), request)
        answer = HttpResponse(page, status=status)
    add_never_cache_headers(answer)
    # What the view opened is closed with the answer given in its place.
    answer._resource_closers.extend(response._resource_closers)
    return answer


def _wants_json(request: HttpRequest, response: HttpResponseBase) -> bool:
    accept = request.headers.get("Accept", "")
    if "text/html" in accept or "json" in accept:
        preferred = request.get_preferred_type(["text/html", "application/json"])
        return preferred == "application/json"
    # Anything will do (fetch() and most clients): the form that the view chose, or
    # what a script can read.
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return is_json or _is_script(request)


def _is_script(request: HttpRequest) -> bool:
    headers = request.headers
    return (
        headers.get("Sec-Fetch-Dest") == "empty"
        or headers.get("X-Requested-With") == "XMLHttpRequest"
        or "HX-Request" in headers
    )


def _page_for_htmx(request: HttpRequest) -> str:
    """Return where htmx goes: the page that says why, and then back to this one."""
    current = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = current._replace(scheme="", netloc="").geturl()
    return _with_next(_reverse_ended() or _sign_in_url(), _safe(request, back))


def _way_back(request: HttpRequest) -> str | None:
    """Return where "Use here instead" returns to: the page that was asked for."""
    match = request.resolver_match
    if match is not None and match.view_name == ENDED_VIEW:
        return _safe(request, request.GET.get(REDIRECT_FIELD_NAME, ""))
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    referer = urlsplit(request.headers.get("Referer", ""))
    if referer.netloc != request.get_host():
        return None
    return _safe(request, referer._replace(scheme="", netloc="").geturl())


def _safe(request: HttpRequest, url: str) -> str | None:
    is_safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if is_safe else None


def next_url(request: HttpRequest, data: QueryDict) -> str:
    """Return where ``data`` asks to go next, if that is within this site."""
    url = _safe(request, data.get(REDIRECT_FIELD_NAME, ""))
    return url or resolve_url(settings.LOGIN_REDIRECT_URL)


def was_shown(session: UserSession, token: str) -> bool:
    """Whether ``token`` comes from a page that told of the end of ``session``."""
    try:
        return bool(signing.loads(token, salt=TOKEN_SALT) == session.pk.hex)
    except signing.BadSignature:
        return False


def _sign_in_url() -> str:
    try:
        return resolve_url(settings.LOGIN_URL)
    except NoReverseMatch:
        # A page that says why is better than the error of a sign-in page that is
        # not there.
        return "/"


def _reverse_ended() -> str | None:
    try:
        return reverse(ENDED_VIEW)
    except NoReverseMatch:  # check session_limit.W... says so
        return None


def _with_next(url: str, back: str | None) -> str:
    if back is None:
        return url
    separator = "&" if urlsplit(url).query else "?"
    return f"{url}{separator}{urlencode({REDIRECT_FIELD_NAME: back})}"
