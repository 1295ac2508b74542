"""The benchmarks of plays and of the gateway, in miniature."""

from __future__ import annotations

import pytest

from benchmarks import gateway, plays
from benchmarks.contenders import WITH_PLAYS
from benchmarks.servers import database, execute, people, serving

pytestmark = pytest.mark.services("postgresql", "redis", "servers")


def test_plays_are_renewed_and_the_gateway_answers():
    with database(owner="plays_test") as on:
        everybody = people(16, on)
        row = plays.renew(everybody, 1.0, on)
        new = people(32, on)
        execute(plays.KEEP, on["BENCHMARKS_NAME"])
        with serving(on, WITH_PLAYS, pool="0") as server:
            ratios = [
                gateway.compare(server.port, *asked)[2]
                for asked in (
                    (everybody, 2, 0.3, ""),
                    (everybody, 2, 0.3, "play"),
                    (new, 2, None, "first"),
                )
            ]
    assert row["lapsed"] == 0
    assert row["renewals"] > 1
    # They read the session with its row and the user, and write the play. A few also
    # record activity.
    assert 2.9 < row["statements"] / row["renewals"] < 4.5
    assert len(plays.cells(row)) == len(plays.COLUMNS)
    assert all(0 < ratio < 2 for ratio in ratios)
    assert "one core of PostgreSQL" in plays.summary([row])
