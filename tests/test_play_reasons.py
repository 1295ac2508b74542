"""Why a play ended that nobody stopped, even if clocks differ."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from session_limit.models import Play

Reason = Play.Reason
NOW = timezone.now()


@pytest.mark.parametrize(
    ("session_ended_at", "reason"),
    [
        (None, Reason.LAPSED),
        # The lease was valid when the session ended.
        (NOW - timedelta(seconds=10), Reason.SESSION_ENDED),
        # The same moment, by the clock of a server that is a minute ahead
        (NOW + timedelta(seconds=50), Reason.SESSION_ENDED),
        # The lease had run out long before.
        (NOW + timedelta(seconds=70), Reason.LAPSED),
    ],
)
def test_a_clock_that_is_ahead_makes_no_play_lapse(session_ended_at, reason) -> None:
    play = Play(lease_until=NOW)
    assert play.end_reason(session_ended_at) == reason
