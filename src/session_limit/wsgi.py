"""
``SessionGateway``: the gateway under WSGI.

    application = SessionGateway(get_wsgi_application())
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.wsgi import WSGIRequest, get_path_info
from django.db import close_old_connections

from session_limit.navigation import GATEWAY_VIEW, addresses_in, view_name_at

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from session_limit.gateway import Verdict

logger = logging.getLogger("session_limit")


class SessionGateway:
    """
    Wraps a WSGI application, and answers what a proxy asks at ``session_limit:gateway``
    before Django's handler and its middleware. Everything else passes through.
    """

    def __init__(self, application: WSGIApplication) -> None:
        # Where it is imported, at the top of wsgi.py, no model can be yet.
        from session_limit import gateway

        self.application = application
        self._gateway = gateway

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if not self._is_asked(environ):
            return self.application(environ, start_response)
        verdict = self._judge(environ)
        status = f"{verdict.status.value} {verdict.status.phrase}"
        start_response(status, verdict.headers)
        return [verdict.body]

    def _is_asked(self, environ: WSGIEnvironment) -> bool:
        return any(
            view_name_at(address, settings.ROOT_URLCONF) == GATEWAY_VIEW
            for address in addresses_in(get_path_info(environ), self._gateway.ENDING)
        )

    def _judge(self, environ: WSGIEnvironment) -> Verdict:
        cookies, query = environ.get("HTTP_COOKIE", ""), environ.get("QUERY_STRING", "")
        question = self._gateway.question(cookies, query)
        if question is None:
            return self._gateway.NOT_SIGNED_IN
        close_old_connections()
        try:
            request = functools.partial(WSGIRequest, environ)
            return self._gateway.judge(question, request)
        except Exception:
            logger.exception("The gateway could not find out whose session this is.")
            return self._gateway.UNAVAILABLE
        finally:
            close_old_connections()
            close_caches()
