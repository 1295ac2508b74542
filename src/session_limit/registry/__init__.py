"""
The only writer. Pages, JSON, admin and command line all call these; each keeps the
lock order: the user's row, its ``AccountLimit``, session rows, stored sessions.
"""

from __future__ import annotations

from session_limit.registry.activity import mark_notified, rekey, touch
from session_limit.registry.admission import (
    Admission,
    admit,
    announce_limit_reached,
)
from session_limit.registry.adoption import adopt
from session_limit.registry.best_effort import BestEffort
from session_limit.registry.connected import Standing, record_endings, standings
from session_limit.registry.credentials import (
    averify,
    credentials_reason,
    has_credentials,
    hash_is_valid,
    note_password_changed,
    verify,
)
from session_limit.registry.ending import (
    end,
    end_account,
    end_all,
    end_others,
    end_row,
    try_to_end,
)
from session_limit.registry.enforcement import enforce, enforce_plays, set_limit
from session_limit.registry.leases import (
    INTERVAL,
    find_play,
    live_plays,
    renew_play,
    stop_play,
    stop_start,
)
from session_limit.registry.limits import limit_of
from session_limit.registry.pending import (
    LISTED,
    SECRET_LENGTH,
    Browser,
    Choice,
    Rivals,
    SessionChanges,
    cancel_pending,
    create_pending,
    find_pending,
    left_over,
    rivals_of,
    try_to_forget,
    user_waiting,
)
from session_limit.registry.plays import PlayStart, play, play_limit_of
from session_limit.registry.pruning import prune, prune_plays
from session_limit.registry.reauthentication import reauthenticated, renewed
from session_limit.registry.transactions import (
    MustLock,
    is_retryable,
    reads_only,
    retry_conflicts,
)

__all__ = [
    "INTERVAL",
    "LISTED",
    "SECRET_LENGTH",
    "Admission",
    "BestEffort",
    "Browser",
    "Choice",
    "MustLock",
    "PlayStart",
    "Rivals",
    "SessionChanges",
    "Standing",
    "admit",
    "adopt",
    "announce_limit_reached",
    "averify",
    "cancel_pending",
    "create_pending",
    "credentials_reason",
    "end",
    "end_account",
    "end_all",
    "end_others",
    "end_row",
    "enforce",
    "enforce_plays",
    "find_pending",
    "find_play",
    "has_credentials",
    "hash_is_valid",
    "is_retryable",
    "left_over",
    "limit_of",
    "live_plays",
    "mark_notified",
    "note_password_changed",
    "play",
    "play_limit_of",
    "prune",
    "prune_plays",
    "reads_only",
    "reauthenticated",
    "record_endings",
    "rekey",
    "renew_play",
    "renewed",
    "retry_conflicts",
    "rivals_of",
    "set_limit",
    "standings",
    "stop_play",
    "stop_start",
    "touch",
    "try_to_end",
    "try_to_forget",
    "user_waiting",
    "verify",
]
