"""Answer a reverse proxy's questions about sessions in a WSGI application."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.cache import close_caches
from django.core.handlers.wsgi import WSGIRequest, get_path_info, get_str_from_wsgi
from django.db import close_old_connections

from session_limit import url_matching
from session_limit.utils.applications import WSGI, require_application

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from session_limit.gateway import Verdict


class SessionGateway:
    """
    WSGI middleware that answers a reverse proxy's questions about sessions.

    A proxy asks at the URL ``session_limit:gateway`` whether a cookie belongs to a live
    session. Django's handler and middleware do not run for such a request. Other
    requests pass through to ``application``. Raises ``TypeError`` if ``application`` is
    not a WSGI application. In ``wsgi.py``::

        from django.core.wsgi import get_wsgi_application
        from session_limit.wsgi import SessionGateway

        application = SessionGateway(get_wsgi_application())

    Under ASGI, ``session_limit.asgi.SessionGuard`` does the same.
    """

    def __init__(self, application: WSGIApplication) -> None:
        # wsgi.py imports this module before the models can be imported.
        from session_limit import gateway

        require_application(
            application,
            WSGI,
            "SessionGateway wraps a WSGI application, such as get_wsgi_application() "
            "in wsgi.py. For an ASGI application, use session_limit.asgi.SessionGuard.",
        )
        self.application = application
        self._gateway = gateway

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        below = url_matching.find_below(get_path_info(environ), url_matching.GATEWAY)
        if below is None:
            return self.application(environ, start_response)
        verdict = self._answer(environ, is_below=bool(below))
        status = f"{verdict.status.value} {verdict.status.phrase}"
        start_response(status, verdict.headers)
        # Some servers would send a body in answer to HEAD, and a proxy would take it
        # for the next response.
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [verdict.body]

    def _answer(self, environ: WSGIEnvironment, *, is_below: bool) -> Verdict:
        # Decode as Django does. In Latin-1, some bytes would be spaces and be stripped.
        cookies = get_str_from_wsgi(environ, "HTTP_COOKIE", "")
        query = environ.get("QUERY_STRING", "")
        question = self._gateway.question(cookies, query, is_below=is_below)
        if isinstance(question, self._gateway.Verdict):
            return question
        close_old_connections()
        try:
            # The query and the body do not identify a session.
            bare = {**environ, "QUERY_STRING": "", "CONTENT_TYPE": ""}
            request = functools.partial(WSGIRequest, bare)
            return self._gateway.judge(question, request)
        except Exception as error:  # noqa: BLE001 logged
            self._gateway.FAILURE.log(error)
            return self._gateway.UNAVAILABLE
        finally:
            close_old_connections()
            close_caches()
