"""A header says who somebody is, and the name what happens at the limit."""

from __future__ import annotations

from django.contrib.auth.middleware import RemoteUserMiddleware

from session_limit.policy import AtLimit
from session_limit.rules import Rules


class FromHeader(RemoteUserMiddleware):
    @property
    def header(self):
        # Its asynchronous path put this before it, until it learned to do without.
        prefixes = self.is_async and not hasattr(RemoteUserMiddleware, "get_username")
        return "X_REMOTE_USER" if prefixes else "HTTP_X_REMOTE_USER"


class ByName(Rules):
    def at_limit(self, user, scope):
        return AtLimit(user.get_username().partition("-")[0])
