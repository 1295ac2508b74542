"""
``SessionGuard``: what is connected stops when its session does.

    application = SessionGuard(get_asgi_application())

A pure ASGI wrapper around the project's application, Django alone or a Channels router.
"""

from __future__ import annotations

from session_limit.asgi.types import Application, Receive, Scope, Send

__all__ = ["SessionGuard"]


class SessionGuard:
    """
    Wraps an ASGI application. Closes the WebSockets and cuts the streaming responses of
    a session that ends, whatever code runs them; refuses the sockets of one that has
    ended; serves the event stream of connected pages. Everything else passes through.
    """

    def __init__(self, application: Application) -> None:
        # Where it is imported, at the top of asgi.py, no model can be yet.
        from session_limit.asgi import dispatch

        self.application = application
        self._serve = dispatch.serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(self.application, scope, receive, send)
