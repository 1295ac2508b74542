"""Wrap a project's ASGI application to end connections when their session ends."""

from __future__ import annotations

from session_limit.asgi.types import Application, Receive, Scope, Send

__all__ = ["SessionGuard"]


class SessionGuard:
    """
    ASGI middleware that ends each open connection as soon as its session ends.

    The guard closes WebSockets and cuts streaming responses of an ended session,
    whatever code serves them. It refuses new WebSockets of an ended session, serves the
    event stream that notifies open pages, and answers reverse proxies at the gateway's
    URL. Everything else passes through to ``application``, which is Django's handler or
    a router such as Channels' ``ProtocolTypeRouter``. In ``asgi.py``::

        from django.core.asgi import get_asgi_application
        from session_limit.asgi import SessionGuard

        application = SessionGuard(get_asgi_application())
    """

    def __init__(self, application: Application) -> None:
        # asgi.py imports this module before the models can be imported.
        from session_limit.asgi import dispatch

        self.application = application
        self._serve = dispatch.serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(self.application, scope, receive, send)
