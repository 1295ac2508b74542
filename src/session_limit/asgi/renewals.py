"""Renew plays before Django's handler, if nothing about the request is unusual."""

from __future__ import annotations

import functools
import json
import time
from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.cache import add_never_cache_headers, patch_vary_headers

from session_limit import live_keys
from session_limit.asgi.answering import RawHeaders, answer, encoded
from session_limit.asgi.database_threads import NotAnswered
from session_limit.asgi.hub import current_hub
from session_limit.asgi.scopes import find_play, request_of, session_key_of
from session_limit.asgi.types import Scope, Send
from session_limit.conf import conf
from session_limit.pages import json_answers, responses
from session_limit.store import identification, tenants
from session_limit.utils.log_once import RateLimitedLog

_FAILURE = RateLimitedLog("A play could not be renewed before Django's handler.")
# With this middleware, Django protects the view from posts by other sites. A subclass
# may be stricter.
_CSRF = "django.middleware.csrf.CsrfViewMiddleware"


async def serve(scope: Scope, send: Send) -> bool:
    """
    Answer a request to renew a play, and return whether it was answered.

    The answer is that the play was renewed. If the database does not answer a known
    session in time, the answer asks to try again, because the view could only wait as
    well. Django's handler must serve any other request, because the view decides about
    refusals. Sends nothing if the result is ``False``, and leaves the request's body to
    the handler.
    """
    play = find_play(scope) if scope["method"] == "POST" else None
    key = session_key_of(scope) if play is not None and _is_usual(scope) else None
    if play is None or key is None or not _is_from_this_site(scope):
        return False
    try:
        is_renewed = await _renew(key, play)
    except Exception as error:  # noqa: BLE001 logged
        _FAILURE.log(error)
        if isinstance(error, NotAnswered) and identification.is_known(key):
            again = responses.retry()
            headers = encoded(again.items())
            await answer(send, HTTPStatus(again.status_code), headers, again.content)
            return True
        return False
    if is_renewed:
        body = json.dumps(json_answers.playing_fields(play)).encode()
        headers = _headers(len(body), int(time.time()))
        await answer(send, HTTPStatus.OK, headers, body)
    return is_renewed


def _is_usual(scope: Scope) -> bool:
    """Return whether the view would decide by the session and its row alone."""
    headers = dict(scope["headers"])
    return (
        # A token may authenticate another user than the session's.
        b"authorization" not in headers
        and conf.uses_plays()
        # A form contains the CSRF token in its body.
        and headers.get(b"content-type", b"").partition(b";")[0]
        in {b"", b"application/json"}
        # Some versions of Python take long to read a quoted cookie.
        and b"\\" not in headers.get(b"cookie", b"")
        and _CSRF in settings.MIDDLEWARE
        and not settings.CSRF_USE_SESSIONS
        # The view's response would store the session again.
        and not settings.SESSION_SAVE_EVERY_REQUEST
        and not tenants.are_used()
    )


class _Csrf(CsrfViewMiddleware):
    """Django's protection from posts by other sites, without a page and a log entry."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(reason, status=HTTPStatus.FORBIDDEN)


def _unreachable(request: HttpRequest) -> HttpResponse:
    raise AssertionError("The view is not called.")


def _is_from_this_site(scope: Scope) -> bool:
    """Return whether Django would accept the request as one of this site's own."""
    try:
        request = request_of(scope, "POST")
        request.get_host()
        return _Csrf(_unreachable).process_view(request, _unreachable, (), {}) is None
    except Exception:  # noqa: BLE001 Django's handler answers it
        return False


async def _renew(key: str, play: UUID) -> bool:
    hub = current_hub()
    if not identification.is_known(key):
        # Clients can invent session keys, which must not delay known sessions.
        if await hub.strangers.run(live_keys.find, key) is None:
            return False
        identification.remember(key, is_live=True)
    return await hub.renewals.renew(key, play)


@functools.lru_cache(maxsize=4)
def _headers(length: int, second: int) -> RawHeaders:
    """Return the headers of the view's response, which state the current second."""
    response = HttpResponse(content_type="application/json")
    response.headers["Content-Length"] = str(length)
    add_never_cache_headers(response)
    patch_vary_headers(response, ["Cookie"])
    return encoded(response.items())
