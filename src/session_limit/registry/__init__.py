"""
Provide the functions that verify, limit and end sessions and playbacks.

This module is the registry's public interface. Only the modules of this package write
``UserSession`` and ``Play`` rows. Each operation takes its locks in the same order: the
user's row, the user's ``AccountLimit`` row, session rows, stored sessions.
"""

from __future__ import annotations

from session_limit.registry.credentials import averify, verify
from session_limit.registry.ending import end, end_all, end_others
from session_limit.registry.enforcement import enforce, enforce_plays, set_limit
from session_limit.registry.leases import (
    find_play,
    live_plays,
    stop_play,
    stop_start,
)
from session_limit.registry.limits import limit_of, play_limit_of
from session_limit.registry.outcomes import PlayStart
from session_limit.registry.plays import play
from session_limit.registry.pruning import prune
from session_limit.registry.reauthentication import reauthenticated
from session_limit.registry.renewals import renew_play

__all__ = [
    "PlayStart",
    "averify",
    "end",
    "end_all",
    "end_others",
    "enforce",
    "enforce_plays",
    "find_play",
    "limit_of",
    "live_plays",
    "play",
    "play_limit_of",
    "prune",
    "reauthenticated",
    "renew_play",
    "set_limit",
    "stop_play",
    "stop_start",
    "verify",
]
