"""The benchmarks of plays and of the gateway, in miniature."""

from __future__ import annotations

import pytest

from benchmarks import gateway, plays
from benchmarks.contenders import WITH_PLAYS
from benchmarks.servers import (
    database,
    execute,
    people,
    serving,
    variables,
    worker,
)

pytestmark = pytest.mark.services("postgresql", "redis", "servers")


def test_plays_are_renewed_and_the_gateway_answers():
    with database(owner="plays_test") as on:
        everybody = people(16, on)
        with worker(variables(WITH_PLAYS, on, engine="db")) as made:
            players = made.call("people.create_players", count=50)
        row = plays.renew(players, 5.0, on, warm=2.0)
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
    assert row["lost"] == 0
    assert row["renewals"] > 1
    assert len(plays.cells(row)) == len(plays.COLUMNS)
    assert all(0 < ratio < 2 for ratio in ratios)
    assert "one core of PostgreSQL" in plays.summary(row)
    slow = {**row, "cpu": 9.0, "p99": 999.0, "lost": 1}
    assert len(plays.misses(slow)) == 3
