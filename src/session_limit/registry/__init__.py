"""
The only writer. Pages, JSON, admin and command line all call these; each keeps the
lock order: the user's row, its ``AccountLimit``, session rows, stored sessions.
"""

from __future__ import annotations

from session_limit.registry.admission import (
    Admission,
    admit,
    adopt,
    announce_limit_reached,
)
from session_limit.registry.credentials import (
    averify,
    credentials_reason,
    goes_by,
    note_password_changed,
    renew_credentials,
    verifies,
    verify,
)
from session_limit.registry.ending import end, end_account, end_all, end_others, end_row
from session_limit.registry.limits import limit_of
from session_limit.registry.locking import is_retryable
from session_limit.registry.upkeep import (
    enforce,
    prune,
    rekey,
    touch,
)

__all__ = [
    "Admission",
    "admit",
    "adopt",
    "announce_limit_reached",
    "averify",
    "credentials_reason",
    "end",
    "end_account",
    "end_all",
    "end_others",
    "end_row",
    "enforce",
    "goes_by",
    "is_retryable",
    "limit_of",
    "note_password_changed",
    "prune",
    "rekey",
    "renew_credentials",
    "touch",
    "verifies",
    "verify",
]
