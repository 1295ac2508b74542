"""
The admin: sessions, live and ended, to see and to end, and on a user's page that
user's sessions and own limit. It needs nothing set, and writes through the registry.
"""

from __future__ import annotations

from session_limit.admin.accounts import AccountLimitInline, UserSessionInline
from session_limit.admin.sessions import UserSessionAdmin

__all__ = ["AccountLimitInline", "UserSessionAdmin", "UserSessionInline"]
