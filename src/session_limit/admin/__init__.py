"""
Show sessions in Django's admin, end them, and set limits of single accounts.

``UserSessionAdmin`` is registered by itself. Add the two inlines to the admin of your
user model. All writes go through the registry.
"""

from __future__ import annotations

from session_limit.admin.accounts import AccountLimitInline, UserSessionInline
from session_limit.admin.sessions import UserSessionAdmin

__all__ = ["AccountLimitInline", "UserSessionAdmin", "UserSessionInline"]
