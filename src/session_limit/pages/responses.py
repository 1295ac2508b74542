"""
Build the responses about ended sessions and refused or waiting sign-ins.

The client gets the response at the requested URL, as an HTML page, as JSON, or as a
header that makes htmx open a page.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers

from session_limit import audit
from session_limit.client import request_kind, unsaved_form
from session_limit.conf import conf
from session_limit.models import UserSession
from session_limit.pages import (
    barriers,
    chooser,
    ended_header,
    endings,
    json_answers,
    kept_headers,
    links,
    messages,
    reported_errors,
    use_here,
)
from session_limit.pages.next_steps import next_steps
from session_limit.pages.rendering import Page
from session_limit.registry.outcomes import Admission
from session_limit.registry.pending import Rivals

Reason = UserSession.Reason

# After these endings, the same person is about to go on, so the browser keeps its
# cached pages. After all other endings, the browser deletes them, so that "Back" does
# not show another person what the account's owner saw.
_KEEPS_CACHE = {Reason.DISPLACED, Reason.LIMIT_LOWERED, Reason.CREDENTIALS_CHANGED}


def ended(
    request: HttpRequest,
    response: HttpResponseBase,
    session: UserSession | None,
    *,
    to_choose: UUID | None = None,
) -> HttpResponse:
    """
    Return the 401 response that explains an ended session, in place of ``response``.

    ``session`` is the ``UserSession`` row, or ``None`` if the row was deleted.
    ``to_choose`` is the id of the session if the project signs people in automatically,
    and ``None`` otherwise. With an id, the person must click to sign in again.
    """
    if session is not None:
        audit.used_after_end(session)
    message = endings.ended_session(session)
    if request_kind.is_htmx(request):
        # htmx does not show the body of an error response, but follows this header.
        is_page = request_kind.is_acted_on(request)
        page = links.page_for_htmx(request, is_page=is_page)
        answer = HttpResponse(headers={"HX-Redirect": page})
    elif request_kind.wants_json(request, response):
        # Lead back to the page that runs the script, not to the URL that it fetched.
        back = links.calling_page(request)
        url = links.ended_page_url(back) if to_choose else None
        url = url or links.sign_in_url(request, back)
        answer = json_answers.session_ended(message, url)
    else:
        back = links.return_url(request)
        sign_in_url = barriers.sign_in_page_for(request, response)
        use_here_url = links.url_of(links.ENDED_VIEW) if to_choose else None
        token = use_here.token(to_choose) if to_choose else None
        form = None
        if use_here_url and token:
            form = {"token": token, **({"next": back} if back else {})}
        context = {
            **_told(message, use_here_url or sign_in_url, form),
            "back": back,
            "sign_in_url": sign_in_url,
            "use_here_url": use_here_url,
            "token": token,
            "kept": unsaved_form.of_post(request),
        }
        answer = Page(request, "session_limit/ended.html", context)
        clears = message.reason is not None and message.reason not in _KEEPS_CACHE
        if clears and request_kind.is_acted_on(request):
            _clear_cache(request, answer)
    ended_header.add(answer, message.reason)
    return _with_status(answer, HTTPStatus.UNAUTHORIZED)


def mention_ending(
    request: HttpRequest, response: HttpResponseBase, session: UserSession | None
) -> None:
    """
    Say in ``response``, which an ended session may have, that the session has ended.

    A header says so in every response. A GraphQL or JSON-RPC response that reports
    errors also contains the fields of the 401 response. ``session`` is the
    ``UserSession`` row, or ``None`` if the row was deleted.
    """
    ended_header.add(response, session.ended_reason if session is not None else None)
    if reported_errors.may_report(response):
        message = endings.ended_session(session)
        sign_in_url = links.sign_in_url(request, links.calling_page(request))
        fields = json_answers.ended_fields(message, sign_in_url)
        reported_errors.explain(response, fields)


def refused(
    request: HttpRequest, response: HttpResponseBase, admission: Admission
) -> HttpResponse:
    """Return the 403 response to a sign-in that the session limit refused."""
    message = messages.refused(admission)
    if request_kind.wants_json(request, response):
        answer: HttpResponse = json_answers.sign_in_refused(message, admission)
    else:
        context = {
            **_told(message),
            **_listed(admission.rivals),
            "limit": admission.limit,
            "back": links.return_url(request),
        }
        answer = Page(request, "session_limit/refused.html", context)
    return _with_status(answer, HTTPStatus.FORBIDDEN)


def asked(
    request: HttpRequest, response: HttpResponseBase, question: chooser.Question
) -> HttpResponse:
    """
    Return the response that asks which session to end before a sign-in completes.

    At the URL of the page for this choice, the response is that page. At other URLs,
    the response redirects to that page. JSON clients always get the question.
    """
    is_here = chooser.is_asked_here(request)
    is_first = is_here and request.method != "POST"
    status = HTTPStatus.OK if is_first else HTTPStatus.CONFLICT
    choose_url = links.url_of(links.CHOOSE_VIEW)
    message = messages.asked(question.limit, is_for_all=question.is_for_all)
    if request_kind.is_htmx(request) and not is_here:
        answer = HttpResponse(headers={"HX-Redirect": choose_url})
    elif request_kind.wants_json(request, response):
        answer = json_answers.question(message, question)
    elif is_here:
        context = {
            "told": message,
            **_listed(question.rivals),
            "selected": [row.pk for row in question.rivals.listed[: question.to_end]],
            "is_for_all": question.is_for_all,
            "limit": question.limit,
            "choice": chooser.code(question.secret),
            "choose_url": choose_url,
            "taken": not is_first,
            "expires_at": question.pending.expires_at,
        }
        answer = Page(request, "session_limit/choose.html", context)
    else:
        answer = HttpResponse(headers={"Location": choose_url})
        status = HTTPStatus.SEE_OTHER
    return _with_status(answer, status)


def no_pending_sign_in(
    request: HttpRequest, response: HttpResponseBase
) -> HttpResponse:
    """Return the 410 response about a sign-in that no longer waits for a choice."""
    message = messages.no_pending_sign_in()
    if request_kind.wants_json(request, response):
        # The code is part of the documented JSON, so it must keep its name.
        answer: HttpResponse = json_answers.answer("choice_gone", detail=message.text)
    else:
        sign_in_url = links.sign_in_url(request, None)
        context = {**_told(message, sign_in_url), "sign_in_url": sign_in_url}
        answer = Page(request, "session_limit/no_pending_sign_in.html", context)
    chooser.delete_cookie(request, answer)
    return _with_status(answer, HTTPStatus.GONE)


def retry(response: HttpResponseBase | None = None) -> HttpResponse:
    """
    Return a 503 response that asks the client to try again after one second.

    Closing the new response also closes the resources of ``response``, if given.
    """
    answer = HttpResponse(
        messages.RETRY,
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": "1"},
    )
    add_never_cache_headers(answer)
    if response is not None:
        replace(response, answer)
    return answer


def _told(
    message: messages.Message,
    sign_in_url: str | None = None,
    form: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return the template variables for ``message`` and the suggested next steps."""
    steps = next_steps(message.steps, sign_in_url, form)
    return {
        "told": message,
        "next_steps": {step.kind.value: step for step in steps},
        "secure_account_url": conf.secure_account_url,
        "support_url": conf.support_url,
    }


def _listed(rivals: Rivals) -> dict[str, Any]:
    """Return the template variables for ``rivals``, most recently active first."""
    return {
        "sessions": rivals.listed[::-1],
        "count": rivals.count,
        "more": rivals.count - len(rivals.listed),
    }


def _clear_cache(request: HttpRequest, answer: HttpResponse) -> None:
    """Make the browser delete the pages of this site from its cache."""
    # Browsers obey the header only over HTTPS. Do not add "cookies" or "storage", which
    # may hold drafts and data of other applications on this site.
    if request.is_secure():
        answer.headers["Clear-Site-Data"] = '"cache"'


def _with_status(answer: HttpResponse, status: HTTPStatus) -> HttpResponse:
    answer.status_code = status
    add_never_cache_headers(answer)
    return answer


def replace(response: HttpResponseBase, answer: HttpResponseBase) -> None:
    """
    Let ``answer`` take the place of ``response``.

    Headers and cookies that do not describe the body are kept. Closing ``answer`` also
    closes the resources of ``response``.
    """
    if answer is not response:
        kept_headers.keep(answer, response)
        vars(answer)["_resource_closers"].extend(vars(response)["_resource_closers"])
