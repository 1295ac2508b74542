"""Provide the ASGI middleware that ends open connections when their session ends."""

from __future__ import annotations

from session_limit.asgi.types import Application, Receive, Scope, Send
from session_limit.utils.applications import ASGI, require_application

__all__ = ["SessionGuard"]


class SessionGuard:
    """
    ASGI middleware that closes WebSockets and streams as soon as their session ends.

    The guard closes the WebSockets and cuts the streaming responses of an ended
    session, even if code outside Django serves them. The guard also refuses new
    WebSockets of an ended session, serves the event stream that notifies open pages,
    and tells reverse proxies whether their client has a live session. All other
    requests pass through to ``application``, which is Django's handler or a router such
    as Channels' ``ProtocolTypeRouter``. Raises ``TypeError`` if ``application`` is not
    an ASGI application. In ``asgi.py``::

        from django.core.asgi import get_asgi_application
        from session_limit.asgi import SessionGuard

        application = SessionGuard(get_asgi_application())
    """

    def __init__(self, application: Application) -> None:
        # asgi.py imports this module before the models can be imported.
        from session_limit.asgi import dispatch

        require_application(
            application,
            ASGI,
            "SessionGuard wraps an ASGI application, such as get_asgi_application() in "
            "asgi.py. For a WSGI application, use session_limit.wsgi.SessionGateway.",
        )
        self.application = application
        self._serve = dispatch.serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(self.application, scope, receive, send)
