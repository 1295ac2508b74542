"""
Admin classes that list and end sessions and edit a user's session limit.

The package registers ``UserSessionAdmin`` itself. Add the two inlines to the admin of
your user model. All writes go through ``session_limit.registry``.
"""

from __future__ import annotations

from session_limit.admin.accounts import AccountLimitInline, UserSessionInline
from session_limit.admin.sessions import UserSessionAdmin

__all__ = ["AccountLimitInline", "UserSessionAdmin", "UserSessionInline"]
