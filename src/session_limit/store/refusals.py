"""Explain refused sign-ins, and ask which session to end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from session_limit.client import browser_cookie, describe, remember_me, request_kind
from session_limit.pages import after_sign_in, chooser, links, responses
from session_limit.policy import AtLimit
from session_limit.registry import announcements
from session_limit.registry.outcomes import Admission
from session_limit.registry.pending import SessionChanges, create_pending
from session_limit.store import response_saving
from session_limit.store.guarded import GuardedSession
from session_limit.store.state import Refusal

if TYPE_CHECKING:
    from session_limit.request import GuardedRequest


def explain(
    request: GuardedRequest,
    response: HttpResponseBase,
    session: GuardedSession,
    refusal: Refusal,
) -> HttpResponse:
    """
    Return the response to a sign-in that was refused, in place of ``response``.

    Restore the session that the browser had before. Under ``ask``, the response leads
    to the question which session to end.
    """
    admission = refusal.admission
    if admission is None:
        return _explain_automatic(request, response, session, refusal.user)
    response_saving.restore(session)
    if admission.is_too_late:
        return responses.no_pending_sign_in(request, response)
    announcements.limit_reached(refusal.user, admission)
    if admission.at_limit is AtLimit.ASK and links.url_of(links.CHOOSE_VIEW):
        return _ask(request, response, session, refusal, admission)
    return responses.refused(request, response, admission)


def _explain_automatic(
    request: GuardedRequest,
    response: HttpResponseBase,
    session: GuardedSession,
    user: AbstractBaseUser,
) -> HttpResponse:
    """
    Return a response that explains why the session ended before an automatic sign-in.

    A person must choose to go on as the same user, with "Use here instead". A page that
    would have signed in another user, such as a guest, explains once. The next visit is
    an ordinary visitor's.
    """
    ended, found = request.session_limit.ended, session.session_limit_state.found
    is_for_same = ended is None or ended.user_id == user.pk
    if request.resolver_match is None or is_for_same:
        response_saving.restore(session)
        to_choose = found.ended_id
        return responses.ended(request, response, ended, to_choose=to_choose)
    answer = responses.ended(request, response, ended)
    if request_kind.shows_explanation(request):
        session.forget_ended()
    else:
        response_saving.restore(session)
    return answer


def _ask(
    request: GuardedRequest,
    response: HttpResponseBase,
    session: GuardedSession,
    refusal: Refusal,
    admission: Admission,
) -> HttpResponse:
    """Return a response that asks which session to end. Keep the sign-in pending."""
    browser = chooser.browser(request)
    choice = session.session_limit_state.sign_in.choice
    if choice is not None and browser.secret is not None:
        # The chosen endings did not make room, so ask again about the same sign-in.
        pending, secret = choice.pending, browser.secret
    else:
        user = refusal.user
        pending, secret = create_pending(
            user,
            _with_expiry(request, refusal.changes),
            replace(browser, places=_described_places(request, session, user)),
            scope=admission.scope,
            next_url=after_sign_in.address_to_store(request, user),
        )
    question = chooser.Question(pending, secret, admission.limit, admission.rivals)
    answer = responses.asked(request, response, question)
    chooser.set_cookie(answer, secret, pending.expires_at)
    return answer


def _described_places(
    request: HttpRequest, session: GuardedSession, user: AbstractBaseUser
) -> list[str]:
    # The session cookie is removed from the request when the session is restored.
    if session.session_limit_state.presented_key is not None:
        return []
    description = str(describe(request))
    return browser_cookie.described_places(request, user.pk, description)


def _with_expiry(request: HttpRequest, changes: SessionChanges) -> SessionChanges:
    """Return ``changes`` with the expiry that the view may have set after a sign-in."""
    is_known = remember_me.EXPIRY in {**changes.before, **changes.values}
    if is_known or not remember_me.may_be_unticked(request):
        return changes
    # The session ends with the browser, as set_expiry(0) says.
    return replace(changes, values={**changes.values, remember_me.EXPIRY: 0})
