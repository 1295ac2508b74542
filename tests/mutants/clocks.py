"""Breakages that only clocks apart show."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

MUTANTS = [
    Mutant(
        "a play lapses because a server's clock is ahead",
        "models/plays.py::Play.end_reason",
        "self.lease_until + CLOCKS_APART < session_ended_at",
        "self.lease_until < session_ended_at",
        "test_play_reasons",
        "test_a_clock_that_is_ahead_makes_no_play_lapse",
    ),
]
