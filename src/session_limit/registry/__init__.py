"""
The only writer. Pages, JSON, admin and command line all call these; each keeps the
lock order: the user's row, its ``AccountLimit``, session rows, stored sessions.
"""

from __future__ import annotations

from session_limit.registry.activity import (
    enforce,
    prune,
    rekey,
    set_limit,
    told,
    touch,
)
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
    goes_by,
    note_password_changed,
    verifies,
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
from session_limit.registry.leases import (
    INTERVAL,
    find_play,
    live_plays,
    prune_plays,
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
    Left,
    Rivals,
    cancel_pending,
    find_pending,
    left_over,
    pend,
    rivals_of,
    try_to_forget,
    user_waiting,
)
from session_limit.registry.plays import Start, enforce_plays, play, play_limit_of
from session_limit.registry.reauthentication import reauthenticated, renewed
from session_limit.registry.transactions import (
    MustLock,
    is_retryable,
    reads_only,
    repeated,
)

__all__ = [
    "INTERVAL",
    "LISTED",
    "SECRET_LENGTH",
    "Admission",
    "BestEffort",
    "Browser",
    "Choice",
    "Left",
    "MustLock",
    "Rivals",
    "Standing",
    "Start",
    "admit",
    "adopt",
    "announce_limit_reached",
    "averify",
    "cancel_pending",
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
    "goes_by",
    "is_retryable",
    "left_over",
    "limit_of",
    "live_plays",
    "note_password_changed",
    "pend",
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
    "repeated",
    "rivals_of",
    "set_limit",
    "standings",
    "stop_play",
    "stop_start",
    "told",
    "touch",
    "try_to_end",
    "try_to_forget",
    "user_waiting",
    "verifies",
    "verify",
]
