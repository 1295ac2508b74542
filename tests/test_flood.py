"""
Run the benchmark of a flood on a small scale, to see that it measures what it says.
"""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import flood
from benchmarks.databases import database
from benchmarks.plays.__main__ import APPLICATION, GATEWAY, people
from benchmarks.push.server import serving

pytestmark = pytest.mark.services("postgresql", "servers")


def test_who_is_signed_in_is_answered_in_a_flood(monkeypatch):
    monkeypatch.setattr(flood, "BEFORE", 0.2)
    monkeypatch.setattr(flood, "AT_ONCE", 20)
    with database("postgresql", "flood_test") as made:
        [[key, _, _]] = people(1, made.environment)
        with serving(made.environment, APPLICATION) as server:
            row = asyncio.run(flood.flooded(server.port, GATEWAY, key, 5, 2))
            next_ = asyncio.run(flood.abandoned(server.port, flood.EVENTS, key, 40))
    assert row["rate"] > 0
    assert 0 < row["median_ms"] <= row["longest_ms"]
    found = {
        "date": "today",
        "commit": "abc",
        "cores": 1,
        "processor": "one",
        "load": 0,
        "versions": {},
        "connections": 5,
        "asked": 2,
        "abandoned": 40,
        "rows": [{"target": "the gateway", **row}],
        "streams": [{"target": "the event stream", **next_}],
    }
    assert "| the event stream | " in flood.text(found)
