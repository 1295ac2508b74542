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

from session_limit import audit
from session_limit.client import request_kind, unsaved_form
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.pages import chooser, json_answers, links, messages, use_here
from session_limit.registry.outcomes import Admission
from session_limit.registry.pending import Rivals

Reason = UserSession.Reason

# Where whoever is at the device now need not be who was signed in on it, so that its
# "Back" had better not show what they saw. In the other cases the same person is about
# to go on, and would wait for everything of this site to be fetched again.
_LEFT_BEHIND = frozenset(
    {
        Reason.SIGNED_OUT,
        Reason.REVOKED,
        Reason.PASSWORD_CHANGED,
        Reason.ACCOUNT_DISABLED,
        Reason.EXPIRED,
        Reason.IDLE,
        Reason.ABSOLUTE,
    }
)

# What middlewares further in have put on the answer that ours stands for.
_PROTECTING = (
    "Content-Security-Policy",
    "Content-Security-Policy-Report-Only",
    "X-Frame-Options",
)


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
    told = messages.ended(session)
    if request_kind.is_htmx(request):
        # htmx swaps nothing in on an error, and follows this.
        page = links.page_for_htmx(request)
        answer = HttpResponse(headers={"HX-Redirect": page})
    elif request_kind.wants_json(request, response):
        # Back to the page whose script asked, not to what it asked for.
        back = links.calling_page(request)
        url = links.ended_page_url(back) if to_choose else None
        sign_in_url = url or links.sign_in_url(back)
        answer = JsonResponse(json_answers.session_over(told, sign_in_url))
    else:
        back = links.way_back(request)
        context = {
            "told": told,
            "back": back,
            "sign_in_url": links.sign_in_page_for(request, response),
            "use_here_url": links.ended_url() if to_choose else None,
            "token": use_here.token(to_choose) if to_choose else None,
            "secure_account_url": conf.secure_account_url,
            "support_url": conf.support_url,
            "kept": unsaved_form.of_post(request),
        }
        answer = _page(request, "session_limit/ended.html", context)
        if told.reason in _LEFT_BEHIND and request_kind.is_acted_on(request):
            _clear_cache(request, answer)
    return _in_place_of(response, answer, HTTPStatus.UNAUTHORIZED)


def refused(
    request: HttpRequest, response: HttpResponseBase, admission: Admission
) -> HttpResponse:
    """Return the 403 of a sign-in that met the limit."""
    told = messages.refused(admission)
    if request_kind.wants_json(request, response):
        answer: HttpResponse = JsonResponse(
            {
                "version": json_answers.VERSION,
                "code": "session_limit",
                "detail": told.text,
                "limit": admission.limit,
                **json_answers.rivals(admission.rivals),
            }
        )
    else:
        context = {
            "told": told,
            **_listed(admission.rivals),
            "limit": admission.limit,
            "back": links.way_back(request),
            "support_url": conf.support_url,
        }
        answer = _page(request, "session_limit/refused.html", context)
    return _in_place_of(response, answer, HTTPStatus.FORBIDDEN)


def asked(
    request: HttpRequest, response: HttpResponseBase, question: chooser.Question
) -> HttpResponse:
    """
    Return what asks a person at the limit: a way to the chooser, or the chooser where
    this is its address.
    """
    is_here = chooser.is_asked_here(request)
    is_first = is_here and request.method != "POST"
    status = HTTPStatus.OK if is_first else HTTPStatus.CONFLICT
    choose_url = links.choose_url()
    if request_kind.is_htmx(request) and not is_here:
        answer = HttpResponse(headers={"HX-Redirect": choose_url})
    elif request_kind.wants_json(request, response):
        answer = JsonResponse(_question(question))
    elif is_here:
        going = question.rivals.listed[: question.going]
        context = {
            "told": messages.asked(question.limit, is_for_all=question.is_for_all),
            **_listed(question.rivals),
            "selected": [row.pk for row in going],
            "is_for_all": question.is_for_all,
            "limit": question.limit,
            "choice": chooser.code(question.secret),
            "choose_url": choose_url,
            "taken": not is_first,
            "expires_at": question.pending.expires_at,
        }
        answer = _page(request, "session_limit/choose.html", context)
    else:
        answer = HttpResponse(headers={"Location": choose_url})
        status = HTTPStatus.SEE_OTHER
    return _in_place_of(response, answer, status)


def _question(question: chooser.Question) -> dict[str, Any]:
    return {
        "version": json_answers.VERSION,
        "code": "choose_session",
        "detail": messages.asked(question.limit, is_for_all=question.is_for_all).text,
        "limit": question.limit,
        **json_answers.rivals(question.rivals),
        "choice": chooser.code(question.secret),
        "choose_url": links.choose_url(),
        "expires_at": question.pending.expires_at,
    }


def _listed(rivals: Rivals) -> dict[str, Any]:
    """Return what a page lists of ``rivals``: the most recently active first."""
    return {
        "sessions": rivals.listed[::-1],
        "count": rivals.count,
        "more": rivals.count - len(rivals.listed),
    }


def choice_gone(request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
    """Return the 410 of a choice that was made already, took too long or may not be."""
    told = messages.choice_gone()
    if request_kind.wants_json(request, response):
        answer: HttpResponse = JsonResponse(
            {
                "version": json_answers.VERSION,
                "code": "choice_gone",
                "detail": told.text,
            }
        )
    else:
        context = {"told": told, "sign_in_url": links.sign_in_url(None)}
        answer = _page(request, "session_limit/choice_gone.html", context)
    chooser.take_back(request, answer)
    return _in_place_of(response, answer, HTTPStatus.GONE)


def retry(response: HttpResponseBase | None = None) -> HttpResponse:
    """
    Return a 503 that asks the client to try again in a second. It takes over from
    ``response``, if there is one, the duty to close what the view opened.
    """
    answer = HttpResponse(
        messages.RETRY,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": "1"},
    )
    add_never_cache_headers(answer)
    if response is not None:
        _close_with(answer, response)
    return answer


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return HttpResponse(render_to_string(template, context, request))


def _clear_cache(request: HttpRequest, answer: HttpResponse) -> None:
    """
    Have the browser forget the pages that it keeps of this site; browsers heed this
    over HTTPS alone. Pages only: "cookies" and "storage" would take along what other
    applications of this site keep, and drafts that were not sent yet.
    """
    if request.is_secure():
        answer.headers["Clear-Site-Data"] = '"cache"'


def _in_place_of(
    response: HttpResponseBase, answer: HttpResponse, status: HTTPStatus
) -> HttpResponse:
    answer.status_code = status
    for name in _PROTECTING:
        if name in response.headers:
            answer.headers[name] = response.headers[name]
    add_never_cache_headers(answer)
    _close_with(answer, response)
    return answer


def _close_with(answer: HttpResponse, response: HttpResponseBase) -> None:
    """Close what the view opened with the answer given in its place."""
    vars(answer)["_resource_closers"].extend(vars(response)["_resource_closers"])
