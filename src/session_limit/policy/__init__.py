"""Decide what happens at a limit, without a database, a request or a clock."""

from __future__ import annotations

from session_limit.policy.decisions import (
    AtLimit,
    Decision,
    Displace,
    LiveSession,
    decide,
    decide_adoption,
    decide_choice,
    decide_swap,
    excess,
    in_order,
)

__all__ = [
    "AtLimit",
    "Decision",
    "Displace",
    "LiveSession",
    "decide",
    "decide_adoption",
    "decide_choice",
    "decide_swap",
    "excess",
    "in_order",
]
