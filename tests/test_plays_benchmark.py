"""Run the benchmark of plays on a small scale, to see that it measures what it says."""

from __future__ import annotations

import pytest

from benchmarks.databases import database
from benchmarks.plays.__main__ import APPLICATION, beside, first, people, report
from benchmarks.plays.renewing import measure
from benchmarks.push.server import serving

pytestmark = pytest.mark.services("postgresql", "redis", "servers")


def test_what_plays_is_renewed_and_the_gateway_asked():
    with database("postgresql", "plays_test") as made:
        everybody = people(16, made.environment)
        live = [
            measure(everybody, 1.0, made, through)
            for through in ("django", "statements")
        ]
        with serving(made.environment, APPLICATION) as server:
            row = beside(server.port, everybody, 2, 0.3, "play")
            new = first(server.port, people(32, made.environment))
    for each in live:
        assert each["lost"] == 0
        assert each["renewals_per_second"] > 1
        # The session with its row, the user and the UPDATE, and sometimes a touch
        sent = each["statements_per_second"] / each["renewals_per_second"]
        assert 2.9 < sent < 4.5
    assert row["gateway"] > 0
    assert 0 < new["ratio"] < 2
    assert 0 < row["ratio"] < 2
    found = {
        "date": "today",
        "commit": "abc",
        "cores": 1,
        "processor": "one",
        "load": 0,
        "versions": {},
        "connections": 16,
        "live": live,
        "gateway": [
            {"engine": "db", "kind": "play", **row},
            {"engine": "db", "kind": "first", **new},
        ],
        "nginx": [
            {"way": "free", "ms": 0.5, "rate": 9000.0},
            {"way": "asked", "ms": 2.0, "rate": 900.0},
        ],
    }
    text = report.text(found)
    assert "costs a segment 1.50 ms." in text
    assert ("Missed" in text) == (row["ratio"] < report.TARGET)
