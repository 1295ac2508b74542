"""Take the user from a header, and what happens at the limit from the user's name."""

from __future__ import annotations

from django.contrib.auth.middleware import RemoteUserMiddleware

from session_limit.policy import AtLimit
from session_limit.rules import Rules


class FromHeader(RemoteUserMiddleware):
    @property
    def header(self):
        # Before it had ``get_username()``, Django's middleware put ``HTTP_`` before
        # this name itself, but only in its async path.
        prefixes = self.is_async and not hasattr(RemoteUserMiddleware, "get_username")
        return "X_REMOTE_USER" if prefixes else "HTTP_X_REMOTE_USER"


class ByName(Rules):
    def at_limit(self, user, scope):
        return AtLimit(user.get_username().partition("-")[0])
