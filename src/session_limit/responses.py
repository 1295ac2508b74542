"""
What a client gets whose session is over, or whose sign-in was refused: a page, JSON,
or what htmx follows, at the address that was asked for.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers

from session_limit import audit, choice, navigation, texts
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.registry import Admission


def ended(
    request: HttpRequest,
    response: HttpResponseBase,
    session: UserSession | None,
    *,
    to_choose: UUID | None = None,
) -> HttpResponse:
    """
    Return the 401 that stands for ``response`` where the session of ``request`` has
    ended: ``session`` is its tombstone, if that is still kept. ``to_choose``: its id,
    where signing in would happen by itself, so that going on takes a click.
    """
    if session is not None:
        audit.used_after_end(session)
    told = texts.ended(session)
    if navigation.is_htmx(request):
        # htmx swaps nothing in on an error, and follows this.
        page = navigation.page_for_htmx(request)
        answer = HttpResponse(headers={"HX-Redirect": page})
    elif navigation.wants_json(request, response):
        answer = JsonResponse(
            {
                "code": "session_ended",
                "reason": told.reason,
                "detail": told.text,
                "ended_at": told.ended_at,
                "device_class": told.device_class,
                # Back to the page whose script asked, not to what it asked for.
                "sign_in_url": navigation.sign_in_url(navigation.calling_page(request)),
            }
        )
    else:
        back = navigation.way_back(request)
        context = {
            "told": told,
            "back": back,
            "sign_in_url": navigation.sign_in_redirect(response)
            or navigation.sign_in_url(back),
            "use_here_url": navigation.ended_url() if to_choose else None,
            "token": choice.token(to_choose) if to_choose else None,
            "secure_account_url": conf.secure_account_url,
        }
        answer = _page(request, "session_limit/ended.html", context)
    return _in_place_of(response, answer, HTTPStatus.UNAUTHORIZED)


def refused(
    request: HttpRequest, response: HttpResponseBase, admission: Admission
) -> HttpResponse:
    """Return the 403 of a sign-in that met the limit."""
    told = texts.refused(admission)
    if navigation.wants_json(request, response):
        answer: HttpResponse = JsonResponse(
            {"code": "session_limit", "detail": told.text, "limit": admission.limit}
        )
    else:
        context = {"told": told, "back": navigation.way_back(request)}
        answer = _page(request, "session_limit/refused.html", context)
    return _in_place_of(response, answer, HTTPStatus.FORBIDDEN)


def retry() -> HttpResponse:
    """Return a 503 that asks to try again in a second."""
    answer = HttpResponse(
        texts.RETRY,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": "1"},
    )
    add_never_cache_headers(answer)
    return answer


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return HttpResponse(render_to_string(template, context, request))


def _in_place_of(
    response: HttpResponseBase, answer: HttpResponse, status: HTTPStatus
) -> HttpResponse:
    answer.status_code = status
    add_never_cache_headers(answer)
    # What the view opened is closed with the answer given in its place.
    vars(answer)["_resource_closers"].extend(vars(response)["_resource_closers"])
    return answer
